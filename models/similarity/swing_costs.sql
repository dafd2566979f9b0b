-- models/similarity/swing_costs.sql: how many pairs Swing will count on the train part, before it counts them: chooses the form, and stops what would not end.
-- A user of n items makes n (n - 1) / 2 pairs of items, an item of n users as many pairs of users.
with users as (
    select cast(count(*) as double) as n_items
    from {{ ref('swing_events') }}
    group by user_number
),

items as (
    select cast(count(*) as double) as n_users
    from {{ ref('swing_events') }}
    group by item_number
),

user_totals as (
    select
        coalesce(sum(n_items), 0) as n_events,
        coalesce(sum(n_items * (n_items - 1) / 2), 0) as item_pairs
    from users
),

item_totals as (
    select
        -- what other caps on the users of an item would leave.
        {%- for cap in swing_caps() %}
        coalesce(sum(least(n_users, {{ cap }}) * (least(n_users, {{ cap }}) - 1) / 2), 0) as user_pairs_{{ cap }},
        {%- endfor %}
        coalesce(sum(n_users * (n_users - 1) / 2), 0) as user_pairs
    from items
)

select
    user_totals.n_events,
    user_totals.item_pairs,
    {%- for cap in swing_caps() %}
    item_totals.user_pairs_{{ cap }},
    {%- endfor %}
    item_totals.user_pairs,
    -- at three quarters both cost the same: by_user sorts fewer pairs, but goes through its pairs of pairs twice (measured, docs/scale.md).
    {{ double(1.3) }} * user_totals.item_pairs <= item_totals.user_pairs as by_user
from user_totals
cross join item_totals
