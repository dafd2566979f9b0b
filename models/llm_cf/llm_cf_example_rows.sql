-- models/llm_cf/llm_cf_example_rows.sql: the reasoning set in the columns that the UDFs retrieve_examples and llm_cf_tower take, with the embedding
-- of the reasoning about each row where a language model wrote one (llm_cf_reasoning), and null otherwise.
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
