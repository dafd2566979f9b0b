-- models/staging/first_events.sql: one row per user and item, at the first time they met, so that a held-out target is never an item seen before.
{%- if var('min_events') is none %}
select
    user_id,
    item_id,
    min(order_value) as order_value
from {{ ref('log_events') }}
where problem is null
group by user_id, item_id
{%- else %}
-- With min_events, the k-core: users and items with at least so many rows among those that are left. Each round strikes out the rows of users and items
-- that have fewer, until a round strikes out none.
with recursive pairs as (
    select
        user_id,
        item_id,
        min(order_value) as order_value
    from {{ ref('log_events') }}
    where problem is null
    group by user_id, item_id
),

kept(user_id, item_id, order_value, is_kept) using key (user_id, item_id) as (
    select
        user_id,
        item_id,
        order_value,
        true
    from pairs
    union
    select
        user_id,
        item_id,
        order_value,
        false
    from (
        select
            user_id,
            item_id,
            order_value,
            count(*) over (partition by user_id) as user_rows,
            count(*) over (partition by item_id) as item_rows
        from recurring.kept
        where is_kept
    ) as counted
    where user_rows < {{ var('min_events') }} or item_rows < {{ var('min_events') }}
)

select
    user_id,
    item_id,
    order_value
from kept
where is_kept
{%- endif %}
