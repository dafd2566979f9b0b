-- models/semantic_ids/semantic_vectors.sql: a vector for each item, half of it from the item's text and half from what it was bought with. With var
-- text_encoder, each number of a text's vector counts as one more term of the item.
select
    item_id,
    embedding
from svd_embeddings(
    (select cast(item_id as varchar) as item_id from {{ ref('semantic_items') }} order by item_number),
    terms := (
        select
            cast(items.item_id as varchar) as item_id,
            terms.name,
            terms.weight
        {%- if var('text_encoder') is none %}
        from {{ ref('semantic_terms') }} as terms
        {%- else %}
        from (
            select item_number, name, weight from {{ ref('semantic_terms') }}
            union all
            select item_number, 'direction:' || unnest(range(1, len(embedding) + 1)), cast(unnest(embedding) as double) from {{ ref('semantic_text_vectors') }}
        ) as terms
        {%- endif %}
        inner join {{ ref('semantic_items') }} as items on items.item_number = terms.item_number
        order by terms.item_number, terms.name
    ),
    events := (
        select
            cast(user_id as varchar) as user_id,
            cast(item_id as varchar) as item_id
        from {{ ref('semantic_events') }}
        order by user_id, position
    ),
    size := {{ var('embedding_size') }},
    random_seed := {{ var('random_seed') }}
)
