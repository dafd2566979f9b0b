-- models/fusion/distilled_item_pairs.sql: the judged item pairs as a similarity: the confidence that the related item follows.
{{ instances(entries('judged_sets'), name='{item_pairs}') }}
{{ config(materialized='table' if item_pairs == 'distilled_item_pairs' else 'ephemeral') }}
select
    pairs.item_id,
    pairs.related_item_id,
    pairs.confidence
        * case when item_long_tail.is_long_tail then {{ double(var('long_tail_vote')) }} else {{ double(1) }} end as score,
    pairs.item_number,
    pairs.related_item_number
from {{ ref(judged) }} as pairs
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = pairs.related_item_number
where pairs.confidence > 0
