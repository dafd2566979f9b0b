-- models/discriminator/training_degrees.sql: var daily: the popularity that the signals read, as of the training.
{{ config(enabled=var('daily') and var('discriminator') == 'signals', frozen=true) }}
select
    item_number,
    count(*) as degree
from {{ ref('interactions_train') }}
group by item_number
