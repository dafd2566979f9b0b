-- models/discriminator/swing_neighbour_negatives.sql: attempts of the sampler swing_neighbour: one of the last five items before, then one of its neighbours.
-- The very first ranks are left out: too many of these items are bought yet.
{{ config(materialized='ephemeral', enabled=draws_negatives() and 'swing_neighbour' in negative_shares()) }}
with swing_neighbour_pool as (
    select
        trigger_item_number,
        related_item_number as item_number,
        row_number() over (partition by trigger_item_number order by rank) - 1 as place,
        count(*) over (partition by trigger_item_number) as n_items
    from {{ ref('index_swing') }}
    where rank between 20 and 200
),

swing_neighbour_sizes as (
    select distinct
        trigger_item_number,
        n_items
    from swing_neighbour_pool
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from {{ ref('negative_attempts') }} as attempts
inner join {{ ref('interactions_train') }} as history
    on history.user_number = attempts.user_number
    and history.position = attempts.position - 1 - attempts.second_number % least(5, attempts.position)
inner join swing_neighbour_sizes as sizes on sizes.trigger_item_number = history.item_number
inner join swing_neighbour_pool as pool
    on pool.trigger_item_number = sizes.trigger_item_number and pool.place = attempts.number % sizes.n_items
where attempts.sampler = 'swing_neighbour'
