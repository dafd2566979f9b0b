{# The scores of the pairs that `pairs` (a relation of swing_sums) holds, in both directions, with the log's ids.
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
with scored_item_pairs as (
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
    select item_number, related_item_number, score from scored_item_pairs where score > 0
    union all
    select related_item_number, item_number, score from scored_item_pairs where score > 0
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
