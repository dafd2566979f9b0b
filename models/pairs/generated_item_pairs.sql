-- models/pairs/generated_item_pairs.sql: what a generator expects after each item alone. A new item that nobody has taken gets an answer through
-- its text.
{{ instances(entries('generators'), name='{prefix}generated_item_pairs') }}
with calls as (
    select
        item_number,
        generate_items(
            {{ generator_prompt(user="'unknown'", history={'inline': 'item_token', 'list': "'- ' || item_token"}.get(product_form('generator'), "'1. ' || item_token")) }},
            n := {{ var('pair_candidates') }},
            model := (select any_value(checkpoint) from {{ ref(generator) }})
        ) as candidates
    from {{ products_in_prompts('generator') }} as products
),

candidates as (
    select
        item_number,
        unnest(candidates) as candidate
    from calls
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    cast(row_number() over (
        partition by candidates.item_number
        order by {{ rounded('candidates.candidate.log_probability') }} desc, related_items.item_number
    ) as integer) as rank,
    candidates.candidate.log_probability as log_probability,
    candidates.item_number,
    related_items.item_number as related_item_number
from candidates
inner join {{ ref('item_numbers') }} as items on items.item_number = candidates.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_token = candidates.candidate.item_token
