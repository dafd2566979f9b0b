{# Swing (Yang et al. 2020, arXiv 2010.05525; method.md 6.1), in the user-side form: exact, and it never builds a pair of users that share one item.

   A pair of items (i < j) is met once in each user who has both: an incidence (pair, user). Two users who share c items share n = c (c - 1) / 2
   pairs of items, so counting the pairs of incidences by pair of users gives n, and c = (1 + sqrt(1 + 8 n)) / 2 without another join.
   Pairs are packed in one BIGINT, smaller number above: half the size of the hash tables.

   swing_pairs gives, for each pair of items with a user in common,
     user_pairs = sum over u < v of  w_u w_v / (swing_alpha + items in common of u and v)      with w_u = (|I_u| + user_alpha) ^ -user_beta
     self_terms = sum over u     of  w_u w_u / (swing_alpha + |I_u|)                           the u = v term of the literal sum
   `relation` has user_number and item_number; repeated rows count once. Caps thin the log before anything is counted: users with fewer than
   `min_items_per_user` items go; of those with more than `max_items_per_user` the most recent by `recency` stay, or the user goes (over_max_items:
   recent or drop_user); then a draw of `max_users_per_item` users. `weight` names a column of weights g: a user then adds
   w_u g_ui g_uj in place of w_u to a pair of items. Defaults: the vars, or what swing_preset says (swing_setting). #}
{% macro swing_pairs(
    relation,
    user_alpha=swing_setting('user_alpha'),
    user_beta=swing_setting('user_beta'),
    swing_alpha=swing_setting('swing_alpha'),
    max_users_per_item=swing_setting('max_users_per_item'),
    max_items_per_user=swing_setting('max_items_per_user'),
    min_items_per_user=swing_setting('min_items_per_user'),
    over_max_items=swing_setting('over_max_items'),
    recency=none,
    weight=none,
    random_seed=var('random_seed')
) -%}
with log_events as (
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
),

degrees as (
    select
        item_number,
        count(*) as degree
    from events
    group by item_number
),

user_weights as (
    select
        user_number,
        count(*) as n_items,
        power(count(*) + {{ double(user_alpha) }}, -{{ double(user_beta) }}) as user_weight
    from events
    group by user_number
),

incidences as (
    select
        first_event.user_number,
        (cast(first_event.item_number as bigint) << 32) | second_event.item_number as item_pair{% if weight %},
        first_event.weight * second_event.weight as weight{% endif %}
    from events as first_event
    inner join events as second_event
        on second_event.user_number = first_event.user_number and first_event.item_number < second_event.item_number
),

item_pairs as (
    select
        incidences.item_pair,
        count(*) as n_common_users,
        sum(
            user_weights.user_weight * user_weights.user_weight{% if weight %} * incidences.weight * incidences.weight{% endif %}
            / ({{ double(swing_alpha) }} + user_weights.n_items)
        ) as self_terms
    from incidences
    inner join user_weights on user_weights.user_number = incidences.user_number
    group by incidences.item_pair
),

shared_incidences as (
    select
        incidences.user_number,
        incidences.item_pair{% if weight %},
        incidences.weight{% endif %}
    from incidences
    inner join item_pairs on item_pairs.item_pair = incidences.item_pair
    where item_pairs.n_common_users >= 2
),

-- read twice and worth recomputing: on a dense log (MovieLens: 214M rows) a stored copy would not fit in memory.
-- not materialized: in a dense log the crossings outgrow memory; reading them twice costs a sparse log a quarter more CPU.
crossings as not materialized (
    select
        first_user.item_pair,
        (cast(first_user.user_number as bigint) << 32) | second_user.user_number as user_pair{% if weight %},
        first_user.weight * second_user.weight as weight{% endif %}
    from shared_incidences as first_user
    inner join shared_incidences as second_user
        on second_user.item_pair = first_user.item_pair and first_user.user_number < second_user.user_number
),

overlap_counts as (
    select
        user_pair,
        (1 + sqrt(cast(1 + 8 * count(*) as double))) / 2 as n_common_items
    from crossings
    group by user_pair
),

user_pair_terms as (
    select
        overlap_counts.user_pair,
        first_user.user_weight * second_user.user_weight / ({{ double(swing_alpha) }} + overlap_counts.n_common_items) as term
    from overlap_counts
    inner join user_weights as first_user on first_user.user_number = overlap_counts.user_pair >> 32
    inner join user_weights as second_user on second_user.user_number = overlap_counts.user_pair & 4294967295
),

user_pair_sums as (
    select
        crossings.item_pair,
        sum(user_pair_terms.term{% if weight %} * crossings.weight{% endif %}) as user_pairs
    from crossings
    inner join user_pair_terms on user_pair_terms.user_pair = crossings.user_pair
    group by crossings.item_pair
)

select
    cast(item_pairs.item_pair >> 32 as integer) as item_number,
    cast(item_pairs.item_pair & 4294967295 as integer) as related_item_number,
    coalesce(user_pair_sums.user_pairs, 0) as user_pairs,
    item_pairs.self_terms,
    cast(item_pairs.n_common_users as integer) as n_common_users,
    cast(degrees.degree as integer) as degree,
    cast(related_degrees.degree as integer) as related_degree
from item_pairs
inner join degrees on degrees.item_number = item_pairs.item_pair >> 32
inner join degrees as related_degrees on related_degrees.item_number = item_pairs.item_pair & 4294967295
left join user_pair_sums on user_pair_sums.item_pair = item_pairs.item_pair
{%- endmacro %}

{# The scores of the pairs that `pairs` (a relation of swing_pairs) holds, in both directions, with the log's ids.
   score = (user_pair_weight x user_pairs + self_pair_weight x self_terms) / (d_i d_j) ^ degree_exponent.
   u < v only: self_pairs=false. The literal ordered sum of the paper: user_pair_weight=2, self_pair_weight=1 (each pair twice, u = v once).
   max_normalised: divided by the trigger item's best, as Alink's resultNormalize; it changes no single list, but what several triggers add up to. #}
{% macro swing_scores(
    pairs,
    self_pairs=(swing_setting('self_pairs') == 'true'),
    self_pair_weight=swing_setting('self_pair_weight'),
    user_pair_weight=swing_setting('user_pair_weight'),
    min_common_users=swing_setting('min_common_users'),
    degree_exponent=swing_setting('degree_exponent'),
    max_normalised=(swing_setting('max_normalised') == 'true')
) -%}
with scored_pairs as (
    select
        item_number,
        related_item_number,
        (
            {{ double(user_pair_weight) }} * user_pairs
            {%- if self_pairs %} + {{ double(self_pair_weight) }} * self_terms{% endif %}
        )
        {%- if degree_exponent | float %} / power(cast(degree as double) * related_degree, {{ double(degree_exponent) }}){% endif %} as score
    from {{ pairs }}
    where n_common_users >= {{ min_common_users }}
),

both_directions as (
    select item_number, related_item_number, score from scored_pairs where score > 0
    union all
    select related_item_number, item_number, score from scored_pairs where score > 0
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    both_directions.score{% if max_normalised %} / max(both_directions.score) over (partition by both_directions.item_number) as score{% endif %},
    both_directions.item_number,
    both_directions.related_item_number
from both_directions
inner join {{ ref('item_numbers') }} as items on items.item_number = both_directions.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = both_directions.related_item_number
{%- endmacro %}

{# Co-occurrence: users in common / (d_i d_j) ^ degree_exponent; 0.5 is the cosine of the items' sets of users. `pairs` as in swing_scores. #}
{% macro common_user_scores(pairs, degree_exponent) -%}
{{ swing_scores(
    '(select item_number, related_item_number, cast(n_common_users as double) as user_pairs, n_common_users, degree, related_degree from ' ~ pairs ~ ')',
    self_pairs=false,
    user_pair_weight=1,
    degree_exponent=degree_exponent,
    max_normalised=false
) }}
{%- endmacro %}
