-- models/semantic_ids/semantic_events.sql: the events that the vectors of items may know: those of interactions_train, less one more of
-- each user, so that the cross-fitted generator does not meet its own targets in the ids.
with ordered as (
    select
        user_id,
        item_id,
        -- The order of interactions, which cannot be read here: its item numbers come from these vectors.
        row_number() over (partition by user_id order by order_value, {{ tie_order('user_id', 'item_id') }}) - 1 as position,
        dense_rank() over (partition by user_id order by order_value) - 1 as step
    from {{ ref('first_events') }}
    where user_id not in (select user_id from {{ ref('users') }} where is_new)
    {%- if splits_by_time() %}
        and order_value < (select train_before from {{ ref('time_cuts') }})
    {%- endif %}
),

numbered as (
    select
        user_id,
        item_id,
        position,
        {{ held_out_unit() }} as place,
        max({{ held_out_unit() }}) over (partition by user_id) + 1 as n_places
    from ordered
)

select
    user_id,
    item_id,
    cast(position as integer) as position
from numbered
where
    -- The rules of interactions_train and of interactions_crossfit, one after the other: a user with fewer than three places keeps them.
    n_places < 3
    {%- if splits_by_time() %}
    or place < n_places - 1
    {%- else %}
    or (n_places - {{ var('held_out_events') }} < 3 and place < n_places - {{ var('held_out_events') }})
    or place < n_places - {{ var('held_out_events') }} - 1
    {%- endif %}
