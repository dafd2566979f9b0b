-- models/similarity/swing.sql: Swing (Yang et al. 2020, arXiv 2010.05525; method.md 6.1). Two items i and j are alike if many users have both, and the more so
-- the less else these users have in common:
--
--   score(i, j) =   sum over pairs of users u, v who have i and j of   w_u w_v / (swing_alpha + items that u and v have in common)
--                 + self_pair_weight * the same for u = v,             all divided by (d_i d_j) ^ degree_exponent
--
-- where w_u = 1 / sqrt(items of u) unless the preset says otherwise, and d_i is the number of users of i. swing_sums has both sums.
{{ instances(swing_of_logs() + [
    {'name': 'swing_augmented', 'sums': 'fused_swing_sums' if events_are_fused() else 'swing_sums', 'settings': none, 'enabled': true, 'tags': []},
    {'name': 'swing_plain', 'sums': 'swing_sums', 'settings': {'self_pair_weight': 0, 'degree_exponent': 0}, 'enabled': true, 'tags': ['no_language_model']},
    {'name': 'whole_swing_plain', 'sums': 'whole_swing_sums', 'settings': {'self_pair_weight': 0, 'degree_exponent': 0}, 'enabled': serves_whole_log(), 'tags': ['whole_log']},
    {'name': 'swing_self_pairs', 'sums': 'swing_sums', 'settings': {'self_pair_weight': 1, 'degree_exponent': 0}, 'enabled': true, 'tags': ['no_language_model']},
    {'name': 'swing_degree_normalised', 'sums': 'swing_sums', 'settings': {'self_pair_weight': 0, 'degree_exponent': 0.5}, 'enabled': true, 'tags': ['no_language_model']},
], name='{name}') }}
{% set user_pair_weight = 1 if settings else var('user_pair_weight') %}
{% set self_pair_weight = settings.self_pair_weight if settings else (var('self_pair_weight') if var('self_pairs') else 0) %}
{% set degree_exponent = settings.degree_exponent if settings else var('degree_exponent') %}
{% set max_normalised = not settings and var('max_normalised') %}

with one_direction as (
    select
        item_number,
        related_item_number,
        ({{ double(user_pair_weight) }} * user_pairs + {{ double(self_pair_weight) }} * self_terms)
        / power(cast(degree as double) * related_degree, {{ double(degree_exponent) }}) as score
    from {{ ref(sums) }}
),

both_directions as (
    select
        item_number,
        related_item_number,
        score
    from one_direction
    where score > 0
    union all
    select
        related_item_number,
        item_number,
        score
    from one_direction
    where score > 0
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    {%- if max_normalised %}
    -- it changes no single list, but what several triggers add up to.
    both_directions.score / max(both_directions.score) over (partition by both_directions.item_number) as score,
    {%- else %}
    both_directions.score,
    {%- endif %}
    both_directions.item_number,
    both_directions.related_item_number
from both_directions
inner join {{ ref('item_numbers') }} as items on items.item_number = both_directions.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = both_directions.related_item_number
