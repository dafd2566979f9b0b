-- models/llm_cf/llm_cf_examples.sql: the reasoning set of LLM-CF: the examples that it may look up, and about which a language model may write why the
-- user did or did not take the item. A row is a history, an item and yes or no, as in the training of the discriminator on histories; a random share of
-- these rows (llm_cf_share), from the train part only.
with positives as (
    select
        user_id,
        user_number,
        position,
        item_id,
        item_number
    from {{ ref('interactions_train') }}
    -- A user's first event, at position 0, has no history.
    where position >= 1
),

training_rows as (
    select
        user_number,
        position,
        0 as draw,
        item_number,
        'Yes' as answer
    from positives
    union all
    select
        user_number,
        position,
        draw,
        item_number,
        'No' as answer
    from {{ ref('negatives') }}
),

seeded as (
    select
        *,
        {{ draw_seed(['user_number', 'position', 'draw'], var('random_seed') + 6) }} as seed
    from training_rows
),

sampled as (
    select
        user_number,
        position,
        draw,
        item_number,
        answer
    from seeded
    where {{ scrambled('seed') }} < {{ double(var('llm_cf_share')) }} * 2147483647
),

histories as (
    select
        sampled.user_number,
        sampled.position,
        sampled.draw,
        list(train.item_number order by train.position) as history
    from sampled
    inner join {{ ref('interactions_train') }} as train
        on train.user_number = sampled.user_number
        and train.position < sampled.position
        and train.position >= sampled.position - {{ var('history_length') }}
    group by sampled.user_number, sampled.position, sampled.draw
)

select
    cast(row_number() over (order by sampled.user_number, sampled.position, sampled.draw) - 1 as integer) as example_number,
    users.user_id,
    sampled.position,
    cast(sampled.draw as integer) as draw,
    item_numbers.item_id,
    sampled.answer,
    histories.history,
    sampled.user_number,
    cast(sampled.item_number as integer) as item_number
from sampled
inner join histories
    on histories.user_number = sampled.user_number
    and histories.position = sampled.position
    and histories.draw = sampled.draw
inner join {{ ref('users') }} as users on users.user_number = sampled.user_number
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = sampled.item_number
