-- models/generator/generator_embeddings.sql: where a generator places each item, as a unit vector; the item's text is folded in.
{{ instances(entries('generators'), name='{prefix}generator_embeddings') }}
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals') }}
select
    item_id,
    item_number,
    token_embeddings(item_token, model := (select any_value(checkpoint) from {{ ref(generator) }})) as embedding
from {{ ref('item_numbers') }}
