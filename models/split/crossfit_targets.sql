-- models/split/crossfit_targets.sql: the event held out of each user's train part, on which the discriminator learns what a hit is.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}

select
    train.user_id,
    train.item_id,
    train.position,
    train.user_number,
    train.item_number
from {{ ref('interactions_train') }} as train
left join {{ ref('interactions_crossfit') }} as kept
    on kept.user_number = train.user_number and kept.item_number = train.item_number
where kept.item_number is null
