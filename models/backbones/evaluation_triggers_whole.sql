-- models/backbones/evaluation_triggers_whole.sql: own_ranking: all of a user's events as triggers of equal weight: under protocol paper those of the
-- train part for both targets, otherwise all before the target.
{{ config(materialized='ephemeral') }}
select
    targets.target_number,
    events.item_number as trigger_item_number,
    {{ double(1) }} as weight
from {{ ref('targets') }} as targets
{% if var('protocol') == 'paper' %}
inner join {{ ref('interactions_train') }} as events on events.user_number = targets.user_number
{% else %}
inner join {{ ref('interactions') }} as events on events.user_number = targets.user_number and events.position < targets.position
{% endif %}
