-- models/split/interactions_crossfit.sql: the train part less each user's last event, which the cross-fitted generator must guess.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}

with numbered as (
    select
        user_id,
        item_id,
        position,
        user_number,
        item_number,
        count(*) over (partition by user_number) as n_events
    from {{ ref('interactions_train') }}
)
select
    user_id,
    item_id,
    position,
    user_number,
    item_number
from numbered
-- A user with one or two events keeps them, since none can be held out.
where n_events < 3 or position < n_events - 1
