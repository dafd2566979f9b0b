-- models/discriminator/generator_negatives.sql: attempts of the sampler generator: what the generator expects of the user, none of which is in the
-- user's train part.
{{ config(materialized='ephemeral', enabled=draws_negatives() and 'generator' in negative_shares()) }}
with generator_sizes as (
    select
        user_number,
        max(rank) as n_items
    from {{ ref('generated_interactions') }}
    group by user_number
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from {{ ref('negative_attempts') }} as attempts
inner join generator_sizes as sizes on sizes.user_number = attempts.user_number
inner join {{ ref('generated_interactions') }} as pool
    on pool.user_number = attempts.user_number and pool.rank = 1 + attempts.number % sizes.n_items
where attempts.sampler = 'generator'
