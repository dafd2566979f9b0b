-- models/backbones/youtube_dnn_queries.sql: for each target its user and the items he had taken before it, oldest first.
{{ config(materialized='ephemeral') }}
select
    targets.target_number as number,
    targets.user_number,
    list(interactions.item_number order by interactions.position) as history
from {{ ref('targets') }} as targets
inner join {{ ref('interactions') }} as interactions
    on interactions.user_number = targets.user_number and interactions.position < targets.position
where interactions.position >= targets.position - {{ var('youtube_dnn_history') }}
group by targets.target_number, targets.user_number
