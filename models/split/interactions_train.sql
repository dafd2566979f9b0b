-- models/split/interactions_train.sql: what models may learn from: all but each user's last events (method.md 5.1).
with numbered as (
    select
        user_id,
        item_id,
        position,
        {{ timestamp_column() }}
        user_number,
        item_number,
        count(*) over (partition by user_number) as n_events
    from {{ ref('interactions') }}
)
select
    user_id,
    item_id,
    position,
    {{ timestamp_column() }}
    user_number,
    item_number
from numbered
-- a user with fewer than three events has no targets and stays whole.
where n_events < 3 or position < n_events - {{ protocol_setting('held_out_events') }}
