-- models/evaluation/target_histories.sql: the events before each target, one history a target: user_number is the target's number.
{{ config(enabled=var('generator_arm')) }}
select
    targets.user_id,
    targets.split,
    interactions.item_id,
    interactions.position,
    targets.target_number as user_number,
    interactions.item_number
from {{ ref('targets') }} as targets
inner join {{ ref('interactions') }} as interactions on interactions.user_number = targets.user_number
where interactions.position < targets.position
