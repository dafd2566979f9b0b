-- models/index/best_recommender.sql: the index of the chosen recommender as a similarity: what votes and item pairs are added to. best_recommender is that
-- of the train part, with recommender auto; whole_best_recommender is that of the whole log, for the index that is served.
{{ config(materialized='ephemeral') }}
{{ instances([
    {'similarity': 'best_recommender', 'index': 'index_auto', 'enabled': main_recommender() == 'auto'},
    {'similarity': 'whole_best_recommender', 'index': 'index_whole', 'enabled': serves_whole_log()},
], name='{similarity}') }}
select
    trigger_item_id as item_id,
    related_item_id,
    score,
    trigger_item_number as item_number,
    related_item_number
from {{ ref(index) }}
