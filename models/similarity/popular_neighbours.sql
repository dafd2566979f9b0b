-- models/similarity/popular_neighbours.sql: the fifty items with the most users, related to every item with an event. A bar that every recommender
-- must clear: on a log without structure nothing is better.
{{ instances([
    {'prefix': '', 'events': 'interactions_train', 'enabled': true, 'tags': ['no_language_model']},
    {'prefix': 'whole_', 'events': 'interactions', 'enabled': serves_whole_log(), 'tags': ['whole_log']},
], name='{prefix}popular_neighbours') }}
with counts as (
    select
        item_id,
        item_number,
        cast(count(*) as double) as score
    from {{ ref(events) }}
    group by item_id, item_number
),

popular as (
    select *
    from counts
    qualify row_number() over (order by score desc, item_number) <= 51
)

select
    items.item_id,
    popular.item_id as related_item_id,
    popular.score,
    items.item_number,
    popular.item_number as related_item_number
from counts as items
cross join popular
where items.item_number <> popular.item_number
