-- models/index/i2i_index.sql: the index that is served, the product of the project: the arm of the var recommender with the language model; and
-- i2i_index_baseline, the index of the same recommender without it. By default they are index_cooccurrence_text_augmented and
-- index_cooccurrence_text, which index_of_arm.sql makes.
{{ instances([{'table': 'i2i_index', 'suffix': '_augmented'}, {'table': 'i2i_index_baseline', 'suffix': ''}], name='{table}') }}
select
    trigger_item_id,
    related_item_id,
    score,
    rank,
    trigger_item_number,
    related_item_number
from {{ ref('index_' ~ var('recommender') ~ suffix) }}
