-- models/generator/generator_examples.sql: what the generator learns from (eq. 1-2): histories and next items, with the loss weight
-- alpha for long-tail target items and beta for the others. Train part only.
{% set by_user = {'by_user': true, 'by_position': false}[var('generator_examples')] %}
with events as (
    select
        train.user_id,
        train.user_number,
        train.position,
        item_numbers.item_token,
        case
            -- the first item has no history to be predicted from.
            when train.position = 0 then {{ double(0) }}
            when item_long_tail.is_long_tail then {{ double(var('alpha')) }}
            else {{ double(var('beta')) }}
        end as weight,
        count(*) over (partition by train.user_number) - 1 - train.position as age
    from {{ ref('interactions_train') }} as train
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = train.item_number
    inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = train.item_number
),
{% if by_user %}
-- The prompts of one user are prefixes of each other, so one row holds them all: eq. 1's inner sum over t in one pass.
windows as (
    select
        user_id,
        user_number,
        position,
        item_token,
        weight,
        age // {{ var('generator_window') }} as window_number
    from events
    union all
    -- the last event of the window before, as history only.
    select
        user_id,
        user_number,
        position,
        item_token,
        {{ double(0) }} as weight,
        age // {{ var('generator_window') }} - 1 as window_number
    from events
    where age > 0 and age % {{ var('generator_window') }} = 0
)

select
    user_id,
    cast(max(position) as integer) as position,
    {{ prompt('generator', history="''") }} as prompt,
    list(item_token order by position) as completions,
    list(weight order by position) as weights
from windows
group by user_id, user_number, window_number
having sum(weight) > 0
{% else %}
histories as (
    select
        user_id,
        position,
        item_token,
        weight,
        string_agg(item_token, ' ') over (
            partition by user_number
            order by position
            rows between {{ var('history_length') }} preceding and 1 preceding
        ) as history
    from events
)

select
    user_id,
    position,
    {{ prompt('generator', history='history') }} as prompt,
    [item_token] as completions,
    [weight] as weights
from histories
where weight > 0
{% endif %}
