-- models/staging/interactions.sql: the log in order, one row per user and item.
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
from {{ ref('first_events') }} as first_events
inner join {{ ref('users') }} as users on users.user_id = first_events.user_id
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_id = first_events.item_id
