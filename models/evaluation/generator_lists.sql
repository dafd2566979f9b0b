-- models/evaluation/generator_lists.sql: the generator's own ranking for each target.
{{ config(materialized='ephemeral', enabled=var('generator_arm')) }}
select
    user_number as target_number,
    item_number,
    rank
from {{ ref('generator_rankings') }}
