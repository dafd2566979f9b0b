-- models/fusion/distilled_votes.sql: what the users of an item are expected to take next: A'G / A'1 (method.md 2.7), where A holds the users' most
-- recent events, weighted by age, and G the votes of their synthetic pairs. A mean over the item's users, so it stays small where they disagree.
{{ instances(entries('vote_sets'), name='{votes}') }}
{{ config(materialized='table' if votes == 'distilled_votes' else 'ephemeral') }}
with carriers as (
    select
        user_number,
        item_number,
        power(
            {{ double(var('distil_decay')) }},
            row_number() over (partition by user_number order by position desc) - 1
        ) as weight
    from {{ ref('interactions_train') }}
    {% if users %}
    where {{ users }}
    {% endif %}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('distil_triggers') }}
),

totals as (
    select
        item_number,
        sum(weight) as weight
    from carriers
    group by item_number
),

sums as (
    select
        carriers.item_number,
        synthetic.item_number as related_item_number,
        sum(carriers.weight * synthetic.vote) as vote
    from carriers
    inner join {{ ref(pairs) }} as synthetic on synthetic.user_number = carriers.user_number
    group by carriers.item_number, synthetic.item_number
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    sums.vote / totals.weight as score,
    sums.item_number,
    sums.related_item_number
from sums
inner join totals on totals.item_number = sums.item_number
inner join {{ ref('item_numbers') }} as items on items.item_number = sums.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = sums.related_item_number
-- a confidence of 0 to a positive power is no vote.
where sums.vote > 0
