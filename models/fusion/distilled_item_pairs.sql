-- models/fusion/distilled_item_pairs.sql: the scored item pairs as a similarity: the confidence that the related item follows, for long-tail items
-- times long_tail_vote. The list item_pair_sets (models/fusion/part.yml and other parts) says which pairs.
{{ instances(entries('item_pair_sets'), name='{item_pairs}') }}
{{ config(materialized='table' if item_pairs == 'distilled_item_pairs' else 'ephemeral') }}
select
    pairs.item_id,
    pairs.related_item_id,
    pairs.confidence
        * case when item_long_tail.is_long_tail then {{ double(var('long_tail_vote')) }} else {{ double(1) }} end as score,
    pairs.item_number,
    pairs.related_item_number
from {{ ref(scored_pairs) }} as pairs
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = pairs.related_item_number
where pairs.confidence > 0
