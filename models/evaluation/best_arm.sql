-- models/evaluation/best_arm.sql: the best arm without a language model, which gains and lifts are measured against: the one with the best recall@10 of
-- all validation targets, one row. A protocol without validation targets leaves only test.
{{ config(materialized='ephemeral') }}
select recommender
from {{ ref('ranking_metrics') }}
where augmentation = 'none' and segment = 'all' and metric = 'recall' and k = 10
order by split desc, value desc, recommender
limit 1
