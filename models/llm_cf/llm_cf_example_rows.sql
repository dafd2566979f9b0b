-- models/llm_cf/llm_cf_example_rows.sql: the reasoning set as the UDFs take it, with the embedding of each row's reasoning where one was written.
{{ config(materialized='ephemeral') }}
select
    examples.example_number,
    examples.user_number,
    examples.item_number,
    examples.answer,
    examples.history,
    {% if var('llm_cf_reasoning') %}
    reasoning.embedding
    {% else %}
    cast(null as float[]) as embedding
    {% endif %}
from {{ ref('llm_cf_examples') }} as examples
{% if var('llm_cf_reasoning') %}
left join {{ ref('llm_cf_reasoning') }} as reasoning on reasoning.example_number = examples.example_number
{% endif %}
