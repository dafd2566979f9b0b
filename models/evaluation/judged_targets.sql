-- models/evaluation/judged_targets.sql: the scored item pairs of the event before each target: a hit if the related item is the target. No model has
-- seen the event before a test target.
{{ config(materialized='ephemeral', enabled=var('discriminator') == 'signals' and var('fusion') == 'distil') }}
select
    targets.split,
    target_items.is_long_tail,
    scored.related_item_number = targets.item_number as is_hit,
    scored.margin as confidence,
    signals.embedding_cosine,
    signals.cosine
from {{ ref('targets') }} as targets
inner join {{ ref('interactions') }} as triggers
    on triggers.user_number = targets.user_number and triggers.position = targets.position - 1
inner join {{ ref('scored_item_pairs') }} as scored on scored.item_number = triggers.item_number
inner join {{ ref('item_pair_features') }} as signals
    on signals.item_number = scored.item_number and signals.related_item_number = scored.related_item_number
inner join {{ ref('item_long_tail') }} as target_items on target_items.item_number = targets.item_number
left join {{ ref('interactions') }} as seen
    on seen.user_number = targets.user_number
    and seen.item_number = scored.related_item_number
    and seen.position < targets.position
where seen.item_number is null
