-- models/online/online_orders.sql: the orders, each with the exposure and the click that are credited with it: the last ones of the same user and item
-- before the order, on the same day or at most online_attribution_days before.
with orders as (
    select
        row_number() over (order by "user", ts, item, amount) as order_number,
        "user" as user_id,
        item as item_id,
        cast(ts as timestamp) as ordered_at,
        cast(amount as double) as amount
    from {{ source('online', 'orders') }}
),

exposures as (
    select
        orders.order_number,
        max(exposures.exposed_at) as exposed_at
    from orders
    inner join {{ ref('online_exposures') }} as exposures
        on exposures.user_id = orders.user_id and exposures.item_id = orders.item_id
    where {{ is_attributed('exposures.exposed_at', 'orders.ordered_at') }}
    group by orders.order_number
),

clicks as (
    select
        orders.order_number,
        max(clicks.clicked_at) as clicked_at
    from orders
    inner join {{ ref('online_clicks') }} as clicks
        on clicks.user_id = orders.user_id and clicks.item_id = orders.item_id
    where {{ is_attributed('clicks.clicked_at', 'orders.ordered_at') }}
    group by orders.order_number
)

select
    orders.order_number,
    orders.user_id,
    orders.item_id,
    orders.ordered_at,
    orders.amount,
    exposures.exposed_at,
    clicks.clicked_at
from orders
left join exposures on exposures.order_number = orders.order_number
left join clicks on clicks.order_number = orders.order_number
