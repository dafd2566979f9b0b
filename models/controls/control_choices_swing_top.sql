-- models/controls/control_choices_swing_top.sql: the control swing_top: Swing's own best items for each user (self-training).
{{ config(materialized='ephemeral', enabled='swing_top' in var('controls')) }}
with triggers as (
    select
        user_number,
        item_number,
        power(
            {{ double(var('trigger_decay')) }},
            row_number() over (partition by user_number order by position desc) - 1
        ) as weight
    from {{ ref('interactions_train') }}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('triggers') }}
),

scores as (
    select
        triggers.user_number,
        related.related_item_number as item_number,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from triggers
    inner join {{ ref('index_swing') }} as related on related.trigger_item_number = triggers.item_number
    group by triggers.user_number, related.related_item_number
)

select
    scores.user_number,
    scores.item_number,
    row_number() over (partition by scores.user_number order by scores.score desc, scores.item_number) as choice
from scores
left join {{ ref('interactions_train') }} as train
    on train.user_number = scores.user_number and train.item_number = scores.item_number
where train.item_number is null
