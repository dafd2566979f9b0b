-- models/fusion/distilled_item_pairs.sql: the scored item pairs as a similarity: the score is the confidence that the related item follows. The list
-- item_pair_sets (models/fusion/part.yml and other parts) says which pairs.
{{ instances(entries('item_pair_sets'), name='{item_pairs}') }}
select
    pairs.item_id,
    pairs.related_item_id,
    pairs.confidence as score,
    pairs.item_number,
    pairs.related_item_number
from {{ ref(scored_pairs) }} as pairs
where pairs.confidence > 0
