-- models/fusion/distilled_votes.sql: what the users of an item are expected to take next (method.md 2.7). A synthetic interaction is a vote of its user
-- for its item. The score of a related item is the mean of the votes over the item's users, weighted by age (vote_shares), so it stays small where they
-- disagree. The list vote_sets (models/fusion/part.yml and other parts) says whose votes.
{{ instances(entries('vote_sets'), name='{votes}') }}
with sums as (
    select
        shares.item_number,
        synthetic.item_number as related_item_number,
        sum(shares.share * synthetic.vote) as score
    from {{ ref(votes ~ '_shares') }} as shares
    inner join {{ ref(pairs) }} as synthetic on synthetic.user_number = shares.user_number
    group by shares.item_number, synthetic.item_number
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    sums.score,
    sums.item_number,
    sums.related_item_number
from sums
inner join {{ ref('item_numbers') }} as items on items.item_number = sums.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = sums.related_item_number
-- a confidence of 0 to a positive power is no vote.
where sums.score > 0
