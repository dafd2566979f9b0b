-- models/llm_cf/llm_cf_reasoning.sql: the best text about each row of the reasoning set: the one with the highest mean of coherence, completeness,
-- relevance and consistency, which the UDF score_reasoning computes.
{{ config(enabled=var('llm_cf') and var('llm_cf_reasoning')) }}
with scores as (
    select
        example_number,
        sample,
        coherence,
        completeness,
        relevance,
        consistency,
        score,
        embedding
    from score_reasoning(
        (
            select
                example_number,
                sample,
                reasoning,
                history_text as history,
                answer
            from {{ ref('llm_cf_texts') }}
            order by example_number, sample
        ),
        corpus := (select text from {{ ref('items') }} order by item_number),
        {%- if var('text_encoder') %}
        encoder := {{ quote_literal(var('text_encoder')) }},
        {%- endif %}
        size := {{ var('llm_cf_embedding_size') }},
        random_seed := {{ var('random_seed') }}
    )
)

select
    scores.example_number,
    cast(scores.sample as integer) as sample,
    texts.reasoning,
    scores.coherence,
    scores.completeness,
    scores.relevance,
    scores.consistency,
    scores.score,
    scores.embedding
from scores
inner join {{ ref('llm_cf_texts') }} as texts
    on texts.example_number = scores.example_number and texts.sample = scores.sample
qualify row_number() over (partition by scores.example_number order by {{ rounded('scores.score') }} desc, scores.sample) = 1
