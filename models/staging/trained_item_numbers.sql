-- models/staging/trained_item_numbers.sql: with var daily, the numbers and tokens of the items that the language models were trained with.
{{ config(enabled=var('daily'), frozen=true) }}
select
    item_id,
    item_number,
    item_token
from {{ ref('dense_item_numbers') }}
