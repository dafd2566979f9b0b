-- models/serving/popular_items.sql: the items with the most events, of the whole log where the index is made of it, which the service answers with where a history is empty or
-- holds no known item.
with counts as (
    select
        item_id,
        item_number,
        count(*) as score
    from {{ ref('interactions' if serves_whole_log() else 'interactions_train') }}
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
-- These are more items than a query may ask for, because the service leaves out those that the user has seen.
where rank <= 1000
