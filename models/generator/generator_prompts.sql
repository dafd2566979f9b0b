-- models/generator/generator_prompts.sql: one prompt per user, from the most recent events of the train part (method.md 2.5).
with recent as (
    select
        train.user_id,
        train.user_number,
        train.position,
        item_numbers.item_token
    from {{ ref('interactions_train') }} as train
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = train.item_number
    qualify row_number() over (partition by train.user_number order by train.position desc) <= {{ var('history_length') }}
),

histories as (
    select
        user_id,
        user_number,
        count(*) as n_events,
        string_agg(item_token, ' ' order by position) as history
    from recent
    group by user_id, user_number
)

select
    user_id,
    history,
    {{ prompt('generator', history='history') }} as prompt,
    cast(n_events as integer) as n_events,
    user_number
from histories
