-- models/backbones/own_index.sql: own_ranking: BM25 and TF-IDF rank a user by the neighbours of all his items, each item its own first neighbour.
{{ config(materialized='ephemeral') }}
{{ instances(backbone_trainings(['bm25', 'tfidf']), name='own_index_{backbone}{suffix}') }}
select
    item_number as trigger_item_number,
    related_item_number,
    score
from {{ ref(backbone ~ '_neighbours' ~ suffix) }}
