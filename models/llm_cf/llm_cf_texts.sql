-- models/llm_cf/llm_cf_texts.sql: what the language model writes about each row of the reasoning set when it is told the true answer: several
-- sampled texts for each row (llm_cf_samples).
{{ config(enabled=var('llm_cf') and var('llm_cf_reasoning')) }}
with events as (
    select
        example_number,
        unnest(history) as item_number,
        unnest(range(1, len(history) + 1)) as place
    from {{ ref('llm_cf_examples') }}
),

histories as (
    select
        events.example_number,
        {{ history_of('discriminator', 'products.item_token', order='events.place') }} as history,
        string_agg(items.text, '. ' order by events.place) as history_text
    from events
    inner join {{ products_in_prompts('discriminator') }} as products on products.item_number = events.item_number
    inner join {{ ref('items') }} as items on items.item_number = events.item_number
    group by events.example_number
),

prompts as (
    select
        examples.example_number,
        examples.answer,
        histories.history_text,
        {{ prompt(
            'llm_cf_reasoning',
            history='histories.history',
            candidate='candidates.item_token',
            decision="case when examples.answer = 'Yes' then 'the shopper took the candidate.' else 'the shopper did not take the candidate.' end"
        ) }} as prompt
    from {{ ref('llm_cf_examples') }} as examples
    inner join histories on histories.example_number = examples.example_number
    inner join {{ products_in_prompts('discriminator') }} as candidates on candidates.item_number = examples.item_number
),

calls as (
    select
        example_number,
        answer,
        history_text,
        write_reasoning(
            prompt,
            n := {{ var('llm_cf_samples') }},
            temperature := {{ double(var('llm_cf_temperature')) }},
            max_tokens := {{ var('llm_cf_max_tokens') }},
            random_seed := {{ var('random_seed') }},
            model := (select any_value(checkpoint) from {{ ref('discriminator') }})
        ) as texts
    from prompts
),

samples as (
    select
        example_number,
        answer,
        history_text,
        unnest(range(1, len(texts) + 1)) as sample,
        unnest(texts) as reasoning
    from calls
)

select
    example_number,
    cast(sample as integer) as sample,
    reasoning,
    history_text,
    answer
from samples
