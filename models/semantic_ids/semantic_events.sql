-- models/semantic_ids/semantic_events.sql: the events that the vectors of items may know: those of interactions_train, less one more of
-- each user, so that the cross-fitted generator does not meet its own targets in the ids.
with numbered as (
    select
        user_id,
        item_id,
        row_number() over (partition by user_id order by order_value, item_id) - 1 as position,
        count(*) over (partition by user_id) as n_events
    from {{ ref('first_events') }}
    where user_id not in (select user_id from {{ ref('users') }} where is_new)
    {%- if splits_by_time() %}
        and order_value < (select train_before from {{ ref('time_cuts') }})
    {%- endif %}
)

select
    user_id,
    item_id,
    cast(position as integer) as position
from numbered
where
    -- The rules of interactions_train and of interactions_crossfit, one after the other: a user with fewer than three events keeps them.
    n_events < 3
    {%- if splits_by_time() %}
    or position < n_events - 1
    {%- else %}
    or (n_events - {{ var('held_out_events') }} < 3 and position < n_events - {{ var('held_out_events') }})
    or position < n_events - {{ var('held_out_events') }} - 1
    {%- endif %}
