-- models/generator/text_vectors.sql: a vector of length 1 for the text of each item, by the pretrained model of var text_encoder; no row for an item without
-- text. Nothing of the log is read, so the vectors are the same whatever is held out.
{{ instances(entries('item_texts'), name='{vectors}') }}
{{ config(enabled=var('text_encoder') is not none) }}
with texts as (
    select
        item_number,
        -- the id stands for the text of an item that has none, and says nothing to an encoder.
        coalesce(nullif(concat_ws(' ', coalesce(title, keywords), brand, category), ''), nullif(text, cast(item_id as varchar))) as text
    from {{ ref(items) }}
),

embedded as (
    select
        item_number,
        embed_text(
            text,
            {%- if var('text_encoder_server') %}
            server := {{ quote_literal(var('text_encoder_server')) }},
            {%- endif %}
            model := {{ quote_literal(var('text_encoder') or '') }},
            pooling := '{{ var('text_encoder_pooling') }}'
        ) as embedding
    from texts
)

select
    item_number,
    embedding
from embedded
where embedding is not null and {{ dot_product('embedding', 'embedding') }} > 0
