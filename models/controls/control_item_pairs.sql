-- models/controls/control_item_pairs.sql: the judged item pairs of a control: each item keeps its candidates and its confidences, but the largest
-- confidence goes to the control's first choice.
{{ config(materialized='ephemeral', enabled=var('discriminator') == 'signals' and var('fusion') == 'distil') }}
{{ instances(entries('control_sets'), name='{pairs}_of_items') }}
with slots as (
    select
        item_id,
        item_number,
        confidence,
        row_number() over (partition by item_number order by {{ rounded('margin') }} desc, related_item_number) as choice
    from {{ ref('scored_item_pairs') }}
),

seeded as (
    select
        *,
        {{ draw_seed(['item_number', 'related_item_number'], var('random_seed') + 3) }} as seed
    from {{ ref('item_pair_features') }}
),

choices as (
    select
        item_number,
        related_item_number,
        row_number() over (partition by item_number order by {{ item_preference }}, related_item_number) as choice
    from seeded
)

select
    slots.item_id,
    item_numbers.item_id as related_item_id,
    slots.confidence,
    slots.item_number,
    choices.related_item_number
from slots
inner join choices on choices.item_number = slots.item_number and choices.choice = slots.choice
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = choices.related_item_number
