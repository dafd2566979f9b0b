-- models/fusion/fused_interactions.sql: the events of the train part and the synthetic interactions after them, told apart by origin (method.md 2.7).
-- With fusion append (the paper) the augmented recommenders learn from this table; with fusion distil no index reads it.
with last_events as (
    select
        user_number,
        max(position) as position
    from {{ ref('real_events') }}
    group by user_number
)

select
    user_id,
    item_id,
    'real' as origin,
    weight,
    position,
    user_number,
    item_number
from {{ ref('real_events') }}
union all
select
    synthetic.user_id,
    synthetic.item_id,
    'synthetic' as origin,
    {{ double(var('synthetic_weight')) if var('fusion') == 'append' else 'synthetic.vote' }} as weight,
    -- just after the user's last train event, best first.
    last_events.position + synthetic.place as position,
    synthetic.user_number,
    synthetic.item_number
from {{ ref('synthetic_interactions') }} as synthetic
inner join last_events on last_events.user_number = synthetic.user_number
