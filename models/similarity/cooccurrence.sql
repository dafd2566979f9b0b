-- models/similarity/cooccurrence.sql: the number of users who have both items / (d_i d_j) ^ degree_exponent, d_i the users of item i: arms without language model.
-- At an exponent of 0.5 it is the cosine of the items' sets of users, the best of these arms on the long tail. The augmented ones exist only with
-- fusion append or filter_real, which change the events; otherwise the augmented arms read the plain ones. With weights g of events a user counts g_ui g_uj, and
-- d_i is the sum of g_ui ^ 2.
{{ instances([
    {'name': 'cooccurrence', 'weighted': var('event_weights'), 'sums': 'swing_sums', 'is_cosine': false, 'enabled': true, 'tags': ['no_language_model']},
    {'name': 'cosine', 'weighted': var('event_weights'), 'sums': 'swing_sums', 'is_cosine': true, 'enabled': true, 'tags': ['no_language_model']},
    {'name': 'whole_cooccurrence', 'weighted': var('event_weights'), 'sums': 'whole_swing_sums', 'is_cosine': false, 'enabled': serves_whole_log(), 'tags': ['whole_log']},
    {'name': 'whole_cosine', 'weighted': var('event_weights'), 'sums': 'whole_swing_sums', 'is_cosine': true, 'enabled': serves_whole_log(), 'tags': ['whole_log']},
    {'name': 'cooccurrence_augmented', 'weighted': fused_events_have_weights(), 'sums': 'fused_swing_sums', 'is_cosine': false, 'enabled': events_are_fused(), 'tags': []},
    {'name': 'cosine_augmented', 'weighted': fused_events_have_weights(), 'sums': 'fused_swing_sums', 'is_cosine': true, 'enabled': events_are_fused(), 'tags': []},
], name='{name}') }}
{% set degree_exponent = 0.5 if is_cosine else var('cooccurrence_degree_exponent') %}

with one_direction as (
    select
        item_number,
        related_item_number,
        {%- if weighted %}
        common_weight / power(weighted_degree * related_weighted_degree, {{ double(degree_exponent) }}) as score
        {%- else %}
        n_common_users / power(cast(degree as double) * related_degree, {{ double(degree_exponent) }}) as score
        {%- endif %}
    from {{ ref(sums) }}
),

both_directions as (
    select
        item_number,
        related_item_number,
        score
    from one_direction
    union all
    select
        related_item_number,
        item_number,
        score
    from one_direction
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    both_directions.score,
    both_directions.item_number,
    both_directions.related_item_number
from both_directions
inner join {{ ref('item_numbers') }} as items on items.item_number = both_directions.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = both_directions.related_item_number
