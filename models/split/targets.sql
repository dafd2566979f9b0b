-- models/split/targets.sql: the held-out events: each user's last is the test target, the last but one the validation target.
with numbered as (
    select
        user_id,
        item_id,
        position,
        user_number,
        item_number,
        count(*) over (partition by user_number) as n_events
    from {{ ref('interactions') }}
)
select
    user_id,
    case when position = n_events - 1 then 'test' else 'validation' end as split,
    item_id,
    position,
    -- one integer per target: the evaluation groups millions of rows by it.
    user_number * 2 + case when position = n_events - 1 then 1 else 0 end as target_number,
    user_number,
    item_number
from numbered
-- only held-out events are targets: under standard_val the last but one is trained on.
where n_events >= 3 and position >= n_events - least(2, {{ protocol_setting('held_out_events') }})
