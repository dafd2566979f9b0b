-- models/backbones/backbone.sql: a backbone as an item-item similarity, only above 0. BM25 and TF-IDF: the neighbours of each item without itself.
-- BPR and YoutubeDNN: the angle (or inner product) of the items' vectors.
{{ instances(backbone_similarities(['bm25', 'tfidf', 'bpr', 'youtube_dnn']), name='{backbone}{suffix}') }}
{% if backbone in ['bm25', 'tfidf'] %}
select
    item_id,
    related_item_id,
    score,
    item_number,
    related_item_number
from {{ ref(trained) }}
-- a user with every item weighs less than nothing.
where item_number <> related_item_number and score > 0
{% else %}
{#- BPR's last number is the item's bias: with it popular items are near to everything. -#}
{% set vector = 'vector' if backbone == 'youtube_dnn' or var('bpr_similarity_bias') else 'vector[1:' ~ var('bpr_factors') ~ '] as vector' %}
select
    items.item_id,
    related_items.item_id as related_item_id,
    found.score,
    items.item_number,
    related_items.item_number as related_item_number
from nearest_items(
    (select number, {{ vector }} from {{ ref(trained) }} where kind = 'item' order by number),
    items := (select number, {{ vector }} from {{ ref(trained) }} where kind = 'item' order by number),
    n := {{ var('index_size') + 1 }},
    measure := '{{ 'cosine' if backbone == 'bpr' else var('youtube_dnn_similarity') }}'
) as found
inner join {{ ref('item_numbers') }} as items on items.item_number = found.number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = found.item_number
where found.number <> found.item_number and found.score > 0
{% endif %}
