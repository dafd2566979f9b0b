-- models/llm_cf/llm_cf_choices.sql: llm_cf(A): for each user the items of the most similar positive rows of the reasoning set, other users' rows, as many
-- as LLM-I2I keeps for the user (method.md 6.4).
{{ config(enabled=var('llm_cf'), tags=['llm_cf']) }}
select
    users.user_id,
    item_numbers.item_id,
    cast(found.choice as integer) as choice,
    found.similarity,
    cast(found.example_number as integer) as example_number,
    cast(found.user_number as integer) as user_number,
    cast(found.item_number as integer) as item_number
from retrieve_examples(
    (
        select
            recent.user_number,
            list(recent.item_number order by recent.position) as history,
            any_value(kept.n_wanted) as n_wanted
        from (
            select
                user_number,
                item_number,
                position
            from {{ ref('interactions_train') }}
            qualify row_number() over (partition by user_number order by position desc) <= {{ var('history_length') }}
        ) as recent
        inner join (
            select
                user_number,
                count(*) as n_wanted
            from {{ ref('synthetic_interactions') }}
            group by user_number
        ) as kept on kept.user_number = recent.user_number
        group by recent.user_number
        order by recent.user_number
    ),
    examples := (
        select
            examples.example_number,
            examples.user_number,
            examples.item_number,
            examples.history,
            {% if var('llm_cf_reasoning') -%}
            reasoning.embedding
            {%- else -%}
            cast(null as float[]) as embedding
            {%- endif %}
        from {{ ref('llm_cf_examples') }} as examples
        {%- if var('llm_cf_reasoning') %}
        left join {{ ref('llm_cf_reasoning') }} as reasoning on reasoning.example_number = examples.example_number
        {%- endif %}
        where examples.answer = 'Yes'
        order by examples.example_number
    ),
    known := (select user_number, item_number from {{ ref('interactions_train') }}),
    embeddings := (select item_number, embedding from {{ ref('llm_cf_item_embeddings') }} order by item_number),
    reasoning_weight := {{ double(var('llm_cf_reasoning_weight')) if var('llm_cf_reasoning') else double(0) }},
    similarity := {{ quote_literal(var('llm_cf_similarity')) }}
) as found
inner join {{ ref('users') }} as users on users.user_number = found.user_number
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = found.item_number
