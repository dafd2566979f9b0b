-- models/split/interactions_train.sql: what models may learn from: all but each user's last events, or all events before a point in time
-- (method.md 5.1).
{%- if splits_by_time() %}
select
    interactions.user_id,
    interactions.item_id,
    interactions.position,
    interactions.timestamp,
    interactions.user_number,
    interactions.item_number
from {{ ref('interactions') }} as interactions
cross join {{ ref('time_cuts') }} as time_cuts
where interactions.timestamp < time_cuts.train_before
{%- else %}
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
-- A user with fewer than three events has no targets and stays whole.
where n_events < 3 or position < n_events - {{ var('held_out_events') }}
{%- endif %}
