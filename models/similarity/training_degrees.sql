-- models/similarity/training_degrees.sql: var daily: the popularity of each item that the signals read, as of the last training.
{{ config(enabled=var('daily') and var('discriminator') == 'signals', frozen=true) }}
select
    item_number,
    count(*) as degree
from {{ ref('interactions_train') }}
group by item_number
