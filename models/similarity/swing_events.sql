-- models/similarity/swing_events.sql: what Swing counts: the items of each user, each once, under the caps on the items of a user and on the users of an item.
{{ instances(entries('swing_logs'), name='{prefix}swing_events') }}
{{ config(frozen=frozen) }}
{% set drops_few = var('min_items_per_user') > 1 %}
{% set drops_many = var('max_items_per_user') and var('over_max_items') == 'drop_user' %}
{% set keeps_recent = var('max_items_per_user') and var('over_max_items') == 'recent' %}
{% set samples_users = var('max_users_per_item') %}

with log_events as (
    select
        user_number,
        item_number,
        {%- if weighted %}
        max(weight) as weight,
        {%- endif %}
        max(position) as position
    from {{ ref(events) }}
    group by user_number, item_number
),

-- Users with too few items go. Of a user with too many the most recent stay, or (over_max_items: drop_user) the user goes too.
user_events as (
    select
        user_number,
        item_number
        {%- if weighted %},
        weight
        {%- endif %}
        {%- if samples_users %},
        {{ draw_seed(['user_number', 'item_number'], var('random_seed')) }} as seed
        {%- endif %}
    from log_events
    {%- if drops_few or drops_many or keeps_recent %}
    qualify
        {%- if drops_few %}
        count(*) over (partition by user_number) >= {{ var('min_items_per_user') }}
        {%- endif %}
        {%- if drops_many %}
        {{ 'and ' if drops_few }}count(*) over (partition by user_number) <= {{ var('max_items_per_user') }}
        {%- elif keeps_recent %}
        {{ 'and ' if drops_few }}row_number() over (partition by user_number order by position desc, item_number) <= {{ var('max_items_per_user') }}
        {%- endif %}
    {%- endif %}
)

select
    user_number,
    item_number
    {%- if weighted %},
    weight
    {%- endif %}
from user_events
{%- if samples_users %}
-- of an item with too many users a draw that the seed fixes.
qualify row_number() over (partition by item_number order by {{ scrambled('seed') }}, user_number) <= {{ var('max_users_per_item') }}
{%- endif %}
