-- models/controls/evaluation_triggers_by_fold.sql: the triggers of each target, numbered as in others_by_fold.
{{ config(materialized='ephemeral') }}
{% set folds = var('others_folds') or 1 %}
select
    triggers.target_number,
    triggers.trigger_item_number * {{ folds }} + targets.user_number % {{ folds }} as trigger_item_number,
    triggers.weight
from {{ ref('evaluation_triggers') }} as triggers
inner join {{ ref('targets') }} as targets on targets.target_number = triggers.target_number
