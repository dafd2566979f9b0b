-- models/split/targets.sql: the held-out events by which recommendations are judged. A user's last event is the test target and the last but one the
-- validation target, or with tied_targets: step an event of the last step and of the last but one; with protocol global_time the targets are the first
-- events from each point in time on. New users have targets like all others (var new_users).
with
{%- if splits_by_time() %}
after_cuts as (
    {%- for split, is_test, condition in [
        ('validation', 0, 'interactions.timestamp >= time_cuts.train_before and interactions.timestamp < time_cuts.query_before'),
        ('test', 1, 'interactions.timestamp >= time_cuts.query_before'),
    ] %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        interactions.user_id,
        '{{ split }}' as split,
        interactions.item_id,
        interactions.position,
        interactions.user_number * 2 + {{ is_test }} as target_number,
        interactions.user_number,
        interactions.item_number
    from {{ ref('interactions') }} as interactions
    cross join {{ ref('time_cuts') }} as time_cuts
    where {{ condition }}
    {%- endfor %}
),

first_after as (
    select *
    from after_cuts
    qualify row_number() over (partition by target_number order by position) = 1
),

held_out as (
    select
        first_after.user_id,
        first_after.split,
        first_after.item_id,
        first_after.position,
        first_after.target_number,
        first_after.user_number,
        first_after.item_number
    from first_after
    -- A first event of an item that nobody had met is out of reach of any index, and a later one would not be the next: such a user has no target.
    {{ join_competitors('first_after') }}
    -- Nor has a user without an event before: there is nothing to query with. log_report counts both.
    where first_after.position > 0
),
{%- else %}
numbered as (
    select
        user_id,
        item_id,
        position,
        user_number,
        item_number,
        {{ held_out_unit() }} as place,
        max({{ held_out_unit() }}) over (partition by user_number) + 1 as n_places
    from {{ ref('interactions') }}
),

held_out as (
    select
        user_id,
        case when place = n_places - 1 then 'test' else 'validation' end as split,
        item_id,
        position,
        -- One integer per target, because the evaluation groups millions of rows by it.
        user_number * 2 + case when place = n_places - 1 then 1 else 0 end as target_number,
        user_number,
        item_number
    from numbered
    -- Only held-out events are targets: with protocol standard_val the last but one is trained on.
    where n_places >= 3 and place >= n_places - least(2, {{ var('held_out_events') }})
    -- Of a step that is held out as a whole, the first event of the drawn order is the target: what comes before it is what the user did in earlier steps.
    qualify row_number() over (partition by user_number, place order by position) = 1
),
{%- endif %}

train_items as (
    select distinct item_number from {{ ref('interactions_train') }}
)

select
    held_out.user_id,
    held_out.split,
    held_out.item_id,
    held_out.position,
    held_out.target_number,
    users.is_new as is_new_user,
    -- Only its text can lead to an item without a train event.
    train_items.item_number is null as is_new_item,
    held_out.user_number,
    held_out.item_number
from held_out
inner join {{ ref('users') }} as users on users.user_number = held_out.user_number
left join train_items on train_items.item_number = held_out.item_number
