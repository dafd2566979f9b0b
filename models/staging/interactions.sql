-- models/staging/interactions.sql: the log in order, one row per user and item. Events of a user at one order value (a basket, a day) are one step. Within a
-- step the order is drawn, and the same on every run: it says nothing of what came first (method.md 1).
with timed as (
    select
        user_id,
        item_id,
        order_value,
        cast(dense_rank() over (partition by user_id order by order_value) - 1 as integer) as step,
        count(*) over (partition by user_id, order_value) as n_tied
    from {{ ref('first_events') }}
)

select
    timed.user_id,
    timed.item_id,
    cast(row_number() over (
        partition by timed.user_id
        -- An event that is alone at its time needs no draw, which spares a log without ties the hashes.
        order by timed.step, case when timed.n_tied > 1 then {{ tie_order('timed.user_id', 'timed.item_id') }} end
    ) - 1 as integer) as position,
    timed.step,
    {% if var('order_column') != 'position' %}
    timed.order_value as timestamp,
    {% endif %}
    users.user_number,
    item_numbers.item_number
from timed
inner join {{ ref('users') }} as users on users.user_id = timed.user_id
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_id = timed.item_id
