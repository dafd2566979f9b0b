-- models/filter_real/refined_interactions.sql: the real pairs the augmented recommender learns from.
select
    user_id,
    item_id,
    cast(row_number() over (partition by user_number order by position) - 1 as integer) as position,
    weight,
    user_number,
    item_number
from {{ ref('filter_decisions') }}
where decision <> 'dropped'
