-- models/llm_cf/llm_cf_item_embeddings.sql: a unit vector for the text of each item. Histories are compared by the mean of their items' vectors.
select
    item_number,
    embedding
from embed_texts(
    (select item_number, text from {{ ref('items') }} order by item_number),
    {%- if var('text_encoder') %}
    encoder := {{ quote_literal(var('text_encoder')) }},
    {%- endif %}
    size := {{ var('llm_cf_embedding_size') }},
    random_seed := {{ var('random_seed') }}
)
