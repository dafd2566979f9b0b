{# What the users of an item are expected to take next: A'G / A'1 (findings.md 3B), A the users' most recent events weighted by age, G the votes
   of `synthetic` (user_number, item_number, vote). `users`: a condition on user_number; the others carry nothing. #}
{% macro distilled(synthetic, users=none) -%}
with carriers as (
    select
        user_number,
        item_number,
        power(
            {{ double(var('distil_decay')) }},
            row_number() over (partition by user_number order by position desc) - 1
        ) as weight
    from {{ ref('interactions_train') }}
    {%- if users %}
    where {{ users }}
    {%- endif %}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('distil_triggers') }}
),

totals as (
    select
        item_number,
        sum(weight) as weight
    from carriers
    group by item_number
),

votes as (
    select
        carriers.item_number,
        synthetic.item_number as related_item_number,
        sum(carriers.weight * synthetic.vote) as vote
    from carriers
    inner join {{ synthetic }} as synthetic on synthetic.user_number = carriers.user_number
    group by carriers.item_number, synthetic.item_number
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    votes.vote / totals.weight as score,
    votes.item_number,
    votes.related_item_number
from votes
inner join totals on totals.item_number = votes.item_number
inner join {{ ref('item_numbers') }} as items on items.item_number = votes.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = votes.related_item_number
-- a confidence of 0 to a positive power is no vote.
where votes.vote > 0
{%- endmacro %}

{# Judged item pairs (item_id, related_item_id, confidence, and the numbers) as a similarity. #}
{% macro distilled_item_pairs(pairs) -%}
select
    pairs.item_id,
    pairs.related_item_id,
    pairs.confidence
        * case when item_long_tail.is_long_tail then {{ double(var('long_tail_vote')) }} else {{ double(1) }} end as score,
    pairs.item_number,
    pairs.related_item_number
from {{ pairs }} as pairs
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = pairs.related_item_number
where pairs.confidence > 0
{%- endmacro %}
