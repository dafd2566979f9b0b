-- models/semantic_ids/semantic_vectors.sql: a vector for each item, half of it from the item's text and half from what it was bought with.
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
        from {{ ref('semantic_terms') }} as terms
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
