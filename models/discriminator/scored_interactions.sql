-- models/discriminator/scored_interactions.sql: the discriminator's confidence in each generated pair: P(Yes) against P(No) (method.md 2.6).
-- With discriminator: signals the prompt is that of discriminator_examples; confidences are then a few percent at best, and the label is nearly always No.
with prompts as (
{% if var('discriminator') == 'signals' %}
    select
        signals.user_id,
        signals.item_id,
        signals.rank,
        signals.log_probability,
        signals.generator_call,
        signals.user_number,
        signals.item_number,
        {{ signals_prompt('candidate_signals') }} as prompt
    from {{ ref('candidate_signals') }} as signals
    cross join {{ ref('signal_bucket_edges') }} as cuts
{% else %}
    select
        generated.user_id,
        generated.item_id,
        generated.rank,
        generated.log_probability,
        generated.generator_call,
        generated.user_number,
        generated.item_number,
        {{ discriminator_prompt(
            user='generated.user_id',
            history='generator_prompts.' ~ discriminator_history(),
            candidate='item_numbers.item_token'
        ) }} as prompt
    from {{ ref('generated_interactions') }} as generated
    inner join {{ ref('generator_prompts') }} as generator_prompts on generator_prompts.user_number = generated.user_number
    inner join {{ products_in_prompts('discriminator') }} as item_numbers on item_numbers.item_number = generated.item_number
{% endif %}
),

scored as (
    select
        user_id,
        item_id,
        rank,
        log_probability,
        generator_call,
        user_number,
        item_number,
        score_interaction(
            prompt,
            model := (select any_value(checkpoint) from {{ ref('discriminator') }})
        ) as answer,
        call_key(score_interaction(
            prompt,
            model := (select any_value(checkpoint) from {{ ref('discriminator') }})
        )) as discriminator_call
    from prompts
)

select
    user_id,
    item_id,
    rank,
    log_probability,
    answer.confidence as confidence,
    answer.margin as margin,
    case when answer.confidence > {{ double(0.5) }} then 'Yes' else 'No' end as label,
    generator_call,
    discriminator_call,
    user_number,
    item_number
from scored
