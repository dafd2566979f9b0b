-- models/split/interactions_train.sql: what models may learn from: all but each user's last events, or all events before a point in time
-- (method.md 5.1).
{%- if splits_by_time() %}
select
    interactions.user_id,
    interactions.item_id,
    interactions.position,
    interactions.step,
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
        step,
        {{ timestamp_column() }}
        user_number,
        item_number,
        {{ held_out_unit() }} as place,
        max({{ held_out_unit() }}) over (partition by user_number) + 1 as n_places
    from {{ ref('interactions') }}
)
select
    user_id,
    item_id,
    position,
    step,
    {{ timestamp_column() }}
    user_number,
    item_number
from numbered
-- A user with fewer than three events (with tied_targets: step, steps) has no targets and stays whole.
where n_places < 3 or place < n_places - {{ var('held_out_events') }}
{%- endif %}
