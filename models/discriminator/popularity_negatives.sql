-- models/discriminator/popularity_negatives.sql: attempts of the sampler popularity, about as often as events ^ 0.75: the item of a random event, accepted with
-- the probability events ^ -0.25.
{{ config(materialized='ephemeral', enabled=draws_negatives() and 'popularity' in negative_shares()) }}
with popularity_pool as (
    select
        item_number,
        row_number() over (order by user_number, position) - 1 as place,
        power(cast(count(*) over (partition by item_number) as double), {{ double(-0.25) }}) as acceptance
    from {{ ref('interactions_train') }}
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from {{ ref('negative_attempts') }} as attempts
inner join popularity_pool as pool on pool.place = attempts.number % (select count(*) from {{ ref('interactions_train') }})
where attempts.sampler = 'popularity' and attempts.second_number < pool.acceptance * 2147483647
