-- models/backbones/neighbours.sql: the items most like each item, itself included: BM25 or TF-IDF over the items' users (method.md 6.2).
{{ instances(backbone_trainings(['bm25', 'tfidf']), name='{backbone}_neighbours{suffix}') }}
select
    items.item_id,
    related_items.item_id as related_item_id,
    found.score,
    found.item_number,
    found.related_item_number,
    -- own_ranking: the neighbours are an index too, in which each item is its own first neighbour.
    found.item_number as trigger_item_number
from bm25(
    (select user_number, item_number, position, weight, origin from {{ ref(events) }} order by user_number, position),
    weighting := '{{ backbone }}',
    neighbours := {{ var(backbone ~ '_neighbours') }},
    k1 := {{ double(var('bm25_k1')) }},
    b := {{ double(var('bm25_b')) }},
    catalogue := (select count(*) from {{ ref('item_numbers') }})
) as found
inner join {{ ref('item_numbers') }} as items on items.item_number = found.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = found.related_item_number
