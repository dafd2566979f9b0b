-- models/serving/popular_items.sql: what the service answers where a history is empty or unknown, best first.
with counts as (
    select
        item_id,
        item_number,
        count(*) as score
    from {{ ref('interactions_train') }}
    group by item_id, item_number
),

ranked as (
    select
        item_id,
        score,
        row_number() over (order by score desc, item_number) as rank
    from counts
)

select
    item_id,
    cast(score as integer) as score,
    cast(rank as integer) as rank
from ranked
-- More than a query may ask for, since items already seen are left out.
where rank <= 1000
