-- models/split/interactions_train.sql: what models may learn from: all but each user's last events, or all events before a point in time
-- (method.md 5.1). Of new users nothing is learnt (var new_users).
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
inner join {{ ref('users') }} as users on users.user_number = interactions.user_number
cross join {{ ref('time_cuts') }} as time_cuts
where interactions.timestamp < time_cuts.train_before and not users.is_new
{%- else %}
with numbered as (
    select
        interactions.user_id,
        interactions.item_id,
        interactions.position,
        interactions.step,
        {{ timestamp_column('interactions.') }}
        interactions.user_number,
        interactions.item_number,
        {{ held_out_unit('interactions.') }} as place,
        max({{ held_out_unit('interactions.') }}) over (partition by interactions.user_number) + 1 as n_places
    from {{ ref('interactions') }} as interactions
    inner join {{ ref('users') }} as users on users.user_number = interactions.user_number
    where not users.is_new
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
