-- models/index/index_of_arm.sql: the best related items of each item: one index for each arm (an arm is one way of making an index that is evaluated
-- beside the others; project/arms.yml and models/*/part.yml list them).
-- An arm adds up one or more similarities, each with a weight. Under the defaults the evaluated index, index_auto_augmented, is
--   the index of the best recommender + distil_mu * distilled_votes + pair_mu * distilled_item_pairs, times long_tail_vote for long-tail items
-- with the weights of fusion_choice, and `llmi2i compile -s index_auto_augmented` shows that query. The macro arm_similarities
-- (project/macros/arms.sql) reads the parts off the arm's entry. With fusion append an augmented arm reads similarities that were made from real and
-- synthetic events instead. Similarities have different units, so each is first divided by the mean, over items, of an item's best score: items whose
-- neighbours are all weak stay weak. Dividing each item's scores by its own best would lift them, and on validation that costs a tenth of recall@10
-- (method.md 2.7).
{{ instances(entries('arms') | selectattr('has_index') | list, name='index_{arm}') }}
{% set similarities = similarities_of_whole_log() if similarities == 'whole_log' else similarities %}
{% set parts = arm_similarities(recommender, augmentation, similarities, votes, item_pairs, appended, choice) %}
{% if long_tail_vote is none and augmentation != 'none' and var('fusion') == 'distil' %}
    {% set long_tail_vote = '(select long_tail_vote from ' ~ ref(choice) ~ ')' %}
{% endif %}
{% if parts | length > 1 %}
with weighted as (
    {% for similarity, weight in parts.items() %}
    select
        item_number,
        related_item_number,
        {{ double(weight) }} * score / (
            select avg(best) from (select max(score) as best from {{ ref(similarity) }} group by item_number) as bests
        ) as score
    from {{ ref(similarity) }}
    {% if weight is string %}
    where {{ weight }} <> 0
    {% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

summed as (
    select
        item_number,
        related_item_number,
        sum(score) as score
    from weighted
    group by item_number, related_item_number
    -- what a part of weight 0 alone relates is not related.
    having sum(score) > 0
),
{% else %}
with summed as (
    select
        item_number,
        related_item_number,
        score
    from {{ ref(parts | first) }}
),
{% endif %}

related as (
    select
        summed.item_number,
        summed.related_item_number,
        {% if long_tail_vote is none %}
        summed.score
    from summed
        {% else %}
        summed.score * case when item_long_tail.is_long_tail then {{ double(long_tail_vote) }} else 1 end as score
    from summed
    inner join {{ ref(long_tail) }} as item_long_tail on item_long_tail.item_number = summed.related_item_number
        {% endif %}
),

ranked as (
    select
        item_number,
        related_item_number,
        -- ranked on rounded scores, ties by item, so that a rerun gives the same index.
        {{ rounded('score') }} as score,
        row_number() over (partition by item_number order by {{ rounded('score') }} desc, related_item_number) as rank
    from related
)

select
    items.item_id as trigger_item_id,
    related_items.item_id as related_item_id,
    cast(ranked.score as double) as score,
    cast(ranked.rank as integer) as rank,
    ranked.item_number as trigger_item_number,
    ranked.related_item_number
from ranked
inner join {{ ref('item_numbers') }} as items on items.item_number = ranked.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = ranked.related_item_number
where ranked.rank <= {{ var('index_size') }}
