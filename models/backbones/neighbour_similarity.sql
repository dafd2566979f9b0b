-- models/backbones/neighbour_similarity.sql: BM25 or TF-IDF as an item-item similarity: the neighbours of each item, without itself.
{{ instances(backbone_similarities(['bm25', 'tfidf'], '_neighbours'), name='{backbone}{suffix}') }}
select
    item_id,
    related_item_id,
    score,
    item_number,
    related_item_number
from {{ ref(trained) }}
-- a user with every item weighs less than nothing.
where item_number <> related_item_number and score > 0
