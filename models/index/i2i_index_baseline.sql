-- models/index/i2i_index_baseline.sql: the index of the same recommender without the language model.
select
    trigger_item_id,
    related_item_id,
    score,
    rank,
    trigger_item_number,
    related_item_number
from {{ ref('index_' ~ var('recommender')) }}
