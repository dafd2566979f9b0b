-- models/staging/trained_item_numbers.sql: var daily: the numbers and tokens of the items that the language models were trained with.
{{ config(enabled=var('daily'), frozen=true) }}
{{ dense_item_numbers() }}
