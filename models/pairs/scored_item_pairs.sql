-- models/pairs/scored_item_pairs.sql: how likely somebody who has just taken an item takes the related one next, by the pair discriminator.
{{ config(frozen=false) }}
with prompts as (
    select
        signals.item_number,
        signals.related_item_number,
        {{ signals_prompt('item_pair_features') }} as prompt
    from {{ ref('item_pair_features') }} as signals
    cross join {{ ref('item_pair_bucket_edges') }} as cuts
),

scored as (
    select
        item_number,
        related_item_number,
        score_interaction(
            prompt,
            model := (select any_value(checkpoint) from {{ ref('item_pair_discriminator') }})
        ) as answer
    from prompts
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    scored.answer.confidence as confidence,
    scored.answer.margin as margin,
    scored.item_number,
    scored.related_item_number
from scored
inner join {{ ref('item_numbers') }} as items on items.item_number = scored.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = scored.related_item_number
