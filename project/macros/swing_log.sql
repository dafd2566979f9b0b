{# The CTEs that thin the log before anything is counted; the last one is `events`, one row per user and item. Users with fewer than `min_items_per_user`
   items go; of those with more than `max_items_per_user` the most recent by `recency` stay, or the user goes (over_max_items: recent or drop_user); then
   a draw of `max_users_per_item` users. #}
{% macro capped_events(
    relation, max_users_per_item, max_items_per_user, min_items_per_user, over_max_items, recency, weight, random_seed
) -%}
log_events as (
    select
        user_number,
        item_number{% if recency %},
        max({{ recency }}) as recency{% endif %}{% if weight %},
        max({{ weight }}) as weight{% endif %}
    from {{ relation }}
    group by user_number, item_number
),

{#- settings are text, and no cap is 0 or none. -#}
{% set max_items_per_user = (max_items_per_user or 0) | int -%}
{% set max_users_per_item = (max_users_per_item or 0) | int -%}
{% set drops_users = max_items_per_user and over_max_items == 'drop_user' -%}
{% set keeps_recent = max_items_per_user and not drops_users -%}
{% set bounds_users = drops_users or min_items_per_user | int > 1 -%}
{% set kept_events = 'recent_events' if keeps_recent else 'bounded_events' if bounds_users else 'log_events' -%}
{% if bounds_users %}
bounded_events as (
    select
        user_number,
        item_number{% if recency %},
        recency{% endif %}{% if weight %},
        weight{% endif %}
    from log_events
    qualify
        count(*) over (partition by user_number) >= {{ min_items_per_user }}
        {%- if drops_users %}
        and count(*) over (partition by user_number) <= {{ max_items_per_user }}
        {%- endif %}
),
{% endif %}

{% if keeps_recent %}
recent_events as (
    select
        user_number,
        item_number{% if weight %},
        weight{% endif %}
    from {{ 'bounded_events' if bounds_users else 'log_events' }}
    qualify row_number() over (
        partition by user_number
        order by {% if recency %}recency desc, {% endif %}item_number
    ) <= {{ max_items_per_user }}
),
{% endif %}

{% if max_users_per_item %}
seeded_events as (
    select
        user_number,
        item_number{% if weight %},
        weight{% endif %},
        {{ draw_seed(['user_number', 'item_number'], random_seed) }} as seed
    from {{ kept_events }}
),
{% endif %}

events as (
    select
        user_number,
        item_number{% if weight %},
        weight{% endif %}
    {% if max_users_per_item %}
    from seeded_events
    qualify row_number() over (partition by item_number order by {{ scrambled('seed') }}, user_number) <= {{ max_users_per_item }}
    {% else %}
    from {{ kept_events }}
    {% endif %}
)
{%- endmacro %}

{# What counting pairs will cost, one row: n_events, item_pairs (of items, over all users) and user_pairs (of users, over all items) under the caps,
   user_pairs_<cap> for the caps of swing_caps() on the users of an item, and by_user, the form that is cheaper. #}
{% macro swing_costs(relation, recency=none) -%}
with {{ capped_events(
    relation, swing_setting('max_users_per_item'), swing_setting('max_items_per_user'), swing_setting('min_items_per_user'), swing_setting('over_max_items'),
    recency, none, var('random_seed')
) }},

users as (
    select cast(count(*) as double) as n from events group by user_number
),

items as (
    select cast(count(*) as double) as n from events group by item_number
),

user_totals as (
    select coalesce(sum(n), 0) as n_events, coalesce(sum(n * (n - 1) / 2), 0) as item_pairs from users
),

item_totals as (
    select
        {%- for cap in swing_caps().split() %}
        coalesce(sum(least(n, {{ cap }}) * (least(n, {{ cap }}) - 1) / 2), 0) as user_pairs_{{ cap }},
        {%- endfor %}
        coalesce(sum(n * (n - 1) / 2), 0) as user_pairs
    from items
)

select
    user_totals.n_events,
    user_totals.item_pairs,
    item_totals.*,
    -- at three quarters both cost the same: by_user sorts fewer pairs, but goes through its pairs of pairs twice (measured, docs/scale.md).
    {{ double(1.3) }} * user_totals.item_pairs <= item_totals.user_pairs as by_user
from user_totals
cross join item_totals
{%- endmacro %}

{# Caps that swing_costs tries. #}
{% macro swing_caps() -%}
20 50 100 200 500 1000
{%- endmacro %}
