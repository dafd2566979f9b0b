-- models/index/best_recommender.sql: the index of the recommender that recommender_trials puts first, as a similarity: what votes and item pairs are
-- added to with recommender auto.
{{ config(materialized='ephemeral', enabled=main_recommender() == 'auto') }}
select
    trigger_item_id as item_id,
    related_item_id,
    score,
    trigger_item_number as item_number,
    related_item_number
from {{ ref('i2i_index_baseline') }}
