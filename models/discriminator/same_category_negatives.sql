-- models/discriminator/same_category_negatives.sql: attempts of the sampler same_category: items of the category of the observed item.
{{ config(materialized='ephemeral', enabled=draws_negatives() and 'same_category' in negative_shares()) }}
with same_category_pool as (
    select
        item_number,
        category,
        row_number() over (partition by category order by item_number) - 1 as place,
        count(*) over (partition by category) as n_items
    from {{ ref('items') }}
    where category is not null
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from {{ ref('negative_attempts') }} as attempts
inner join {{ ref('interactions_train') }} as positives on positives.user_number = attempts.user_number and positives.position = attempts.position
inner join same_category_pool as observed on observed.item_number = positives.item_number
inner join same_category_pool as pool on pool.category = observed.category and pool.place = attempts.number % observed.n_items
where attempts.sampler = 'same_category'
