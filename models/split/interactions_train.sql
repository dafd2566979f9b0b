-- models/split/interactions_train.sql: what models may learn from: all but each user's last events, or all events before a point in time
-- (method.md 5.1). Of new users nothing is learnt (var new_users).
{%- if splits_by_time() %}
select
    interactions.user_id,
    interactions.item_id,
    interactions.position,
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
        {{ timestamp_column('interactions.') }}
        interactions.user_number,
        interactions.item_number,
        users.n_interactions as n_events
    from {{ ref('interactions') }} as interactions
    inner join {{ ref('users') }} as users on users.user_number = interactions.user_number
    where not users.is_new
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
