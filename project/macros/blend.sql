{# One similarity out of several, each a pair [relation, weight]: the weighted sum of the scaled scores, with the log's ids.
   Scaled = divided by the mean, over trigger items, of the best score: similarities of different units then count alike, and the trigger items
   whose neighbours are all weak stay weak. Dividing each row by its own maximum (findings.md 3B) lifts those: on validation it costs a tenth of
   R@10 without candidates (Toys .1046 -> .0948) and up to .003 with them. #}
{% macro blended(parts) -%}
with
{%- for relation, weight in parts %}
part_{{ loop.index }} as (
    select
        item_number,
        related_item_number,
        score
    from {{ relation }}
),

row_maxima_{{ loop.index }} as (
    select max(score) as best
    from part_{{ loop.index }}
    group by item_number
),
{% endfor %}
weighted as (
    {%- for relation, weight in parts %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        item_number,
        related_item_number,
        {{ double(weight) }} * score / (select avg(best) from row_maxima_{{ loop.index }}) as score
    from part_{{ loop.index }}
    {%- endfor %}
),

summed as (
    select
        item_number,
        related_item_number,
        sum(score) as score
    from weighted
    group by item_number, related_item_number
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    summed.score,
    summed.item_number,
    summed.related_item_number
from summed
inner join {{ ref('item_numbers') }} as items on items.item_number = summed.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = summed.related_item_number
{%- endmacro %}

{# What a recommender relates, as a relation; `augmented`: with the synthetic interactions, appended to the events or distilled (var fusion).
   `distilled`: what is distilled in place of the model distilled. #}
{% macro recommender_similarity(recommender, augmented=false, distilled=none, judged=none) -%}
{%- set appended = augmented and {'append': true, 'distil': false}[var('fusion')] -%}
{%- set on_fused_pairs = appended or (augmented and is_filtering()) -%}
{%- if recommender == 'swing' -%}
    {%- set parts = [[ref('swing_augmented' if augmented else 'swing'), 1]] -%}
{%- elif recommender == 'swing_text' -%}
    {%- set parts = [[ref('swing_augmented' if augmented else 'swing'), 1], [ref('text_neighbours'), var('swing_text_weight')]] -%}
{%- elif recommender in ['cooccurrence', 'cosine', 'cooccurrence_text'] -%}
    {%- set exponent = 0.5 if recommender == 'cosine' else var('cooccurrence_degree_exponent') -%}
    {%- if on_fused_pairs -%}
        {%- set events = '(' ~ common_user_scores(ref('fused_swing_sums'), exponent) ~ ')' -%}
    {%- else -%}
        {%- set events = ref('cosine' if recommender == 'cosine' else 'cooccurrence') -%}
    {%- endif -%}
    {%- set parts = [[events, 1]] -%}
    {%- if recommender == 'cooccurrence_text' -%}
        {%- do parts.append([ref('text_neighbours'), var('cooccurrence_text_weight')]) -%}
    {%- endif -%}
{%- elif is_backbone(recommender) == 'true' -%}
    {%- set parts = [[ref(recommender if augmented else recommender ~ '_baseline'), 1]] -%}
{%- else -%}
    {{ exceptions.raise_compiler_error("recommender '" ~ recommender ~ "' is none of swing, swing_text, cooccurrence, cosine, cooccurrence_text, bm25, tfidf, bpr, youtube_dnn") }}
{%- endif -%}
{%- if augmented and not appended -%}
    {%- do parts.append([distilled or ref('distilled_votes'), var('distil_mu')]) -%}
    {%- if var('discriminator') == 'signals' -%}
        {%- do parts.append([judged or ref('distilled_item_pairs'), var('pair_mu')]) -%}
    {%- endif -%}
{%- endif -%}
{%- if parts | length == 1 -%}
{{ parts[0][0] }}
{%- else -%}
(
{{ blended(parts) }}
)
{%- endif -%}
{%- endmacro %}
