-- models/staging/interactions.sql: one row per user and item, at the first time they met: a held-out target is then never an item seen before.
with first_events as (
    select
        user_id,
        item_id,
        min("{{ var('order_column') }}") as order_value
    from {{ source('log', 'interactions') }}
    group by user_id, item_id
)
-- left joins: an event with a null id stays and fails the data tests, it does not vanish.
select
    first_events.user_id,
    first_events.item_id,
    cast(row_number() over (
        partition by first_events.user_id
        order by first_events.order_value, first_events.item_id
    ) - 1 as integer) as position,
    {% if var('order_column') != 'position' %}
    first_events.order_value as timestamp,
    {% endif %}
    users.user_number,
    item_numbers.item_number
from first_events
left join {{ ref('users') }} as users on users.user_id = first_events.user_id
left join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_id = first_events.item_id
