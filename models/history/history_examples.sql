-- models/history/history_examples.sql: only with discriminator: history, filter_real or llm_cf. the examples of the paper's discriminator (eq. 3): observed pairs answered Yes, drawn items (negatives)
-- answered No. Both read the history before the observed pair, never the pair itself or what follows. Train part only.
{{ config(materialized='table' if is_filtering() else 'ephemeral', enabled=var('discriminator') == 'history' or is_filtering()) }}
with histories as (
    select
        train.user_id,
        train.user_number,
        train.position,
        train.item_id,
        train.item_number,
        item_numbers.item_token,
        {{ history_of(
            'discriminator',
            'item_numbers.item_token',
            over='partition by train.user_number order by train.position rows between ' ~ var('history_length') ~ ' preceding and 1 preceding'
        ) }} as history
    from {{ ref('interactions_train') }} as train
    inner join {{ products_in_prompts('discriminator') }} as item_numbers on item_numbers.item_number = train.item_number
),

positives as (
    select
        user_id,
        user_number,
        position,
        item_id,
        item_number,
        item_token,
        history
    from histories
    where position >= 1
),

examples as (
    select
        user_id,
        user_number,
        position,
        0 as draw,
        item_id,
        item_number,
        item_token,
        history,
        'Yes' as completion
    from positives
    union all
    select
        positives.user_id,
        positives.user_number,
        positives.position,
        drawn.draw,
        item_numbers.item_id,
        item_numbers.item_number,
        item_numbers.item_token,
        positives.history,
        'No' as completion
    from {{ ref('negatives') }} as drawn
    inner join positives on positives.user_number = drawn.user_number and positives.position = drawn.position
    inner join {{ products_in_prompts('discriminator') }} as item_numbers on item_numbers.item_number = drawn.item_number
)

select
    user_id,
    position,
    cast(draw as integer) as draw,
    item_id,
    history,
    {{ discriminator_prompt(user='user_id', history='history', candidate='item_token') }} as prompt,
    completion,
    {{ double(1) }} as weight,
    user_number,
    item_number
from examples
