-- models/fusion/distilled_votes.sql: what the users of an item are expected to take next (method.md 2.7). A synthetic interaction is a vote of its user
-- for its item. The score of a related item is the sum, over the item's users, of age weight * vote, divided by the sum of the age weights: a mean over
-- the users, so it stays small where they disagree. The list vote_sets (models/fusion/part.yml and other parts) says whose votes.
{{ instances(entries('vote_sets'), name='{votes}') }}
with recent_events as (
    select
        user_number,
        item_number,
        power(
            {{ double(var('distil_decay')) }},
            row_number() over (partition by user_number order by position desc) - 1
        ) as age_weight
    from {{ ref(events) }}
    {% if users %}
    where {{ users }}
    {% endif %}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('distil_triggers') }}
),

totals as (
    select
        item_number,
        sum(age_weight) as age_weight
    from recent_events
    group by item_number
),

sums as (
    select
        recent_events.item_number,
        synthetic.item_number as related_item_number,
        sum(recent_events.age_weight * synthetic.vote) as vote
    from recent_events
    inner join {{ ref(pairs) }} as synthetic on synthetic.user_number = recent_events.user_number
    group by recent_events.item_number, synthetic.item_number
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    sums.vote / totals.age_weight as score,
    sums.item_number,
    sums.related_item_number
from sums
inner join totals on totals.item_number = sums.item_number
inner join {{ ref('item_numbers') }} as items on items.item_number = sums.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = sums.related_item_number
-- a confidence of 0 to a positive power is no vote.
where sums.vote > 0
