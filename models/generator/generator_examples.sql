-- models/generator/generator_examples.sql: what a generator learns from (eq. 1-2): histories and next items, with the loss weight alpha for
-- long-tail target items and beta for the others. Once for the train part, and once for the cross-fit part, which lacks each user's last event.
{{ instances(entries('logs'), name='{prefix}generator_examples') }}
{{ config(frozen=var('daily')) }}
with events as (
    select
        train.user_id,
        train.user_number,
        train.position,
        item_numbers.item_token,
        {%- if shows_text('generator') %}
        shown.item_token as product,
        {%- endif %}
        case
            -- the first item has no history to be predicted from.
            when train.position = 0 then {{ double(0) }}
            when item_long_tail.is_long_tail then {{ double(var('alpha')) }}
            else {{ double(var('beta')) }}
        end{{ ' * weighed.weight' if var('event_weights') }} as weight,
        count(*) over (partition by train.user_number) - 1 - train.position as age
    from {{ ref(events) }} as train
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = train.item_number
    {%- if shows_text('generator') %}
    inner join {{ products_in_prompts('generator') }} as shown on shown.item_number = train.item_number
    {%- endif %}
    {%- if var('event_weights') %}
    inner join {{ ref(prefix ~ 'weighed_events') }} as weighed on weighed.user_number = train.user_number and weighed.item_number = train.item_number
    {%- endif %}
    inner join {{ ref(prefix ~ 'item_long_tail') }} as item_long_tail on item_long_tail.item_number = train.item_number
),
{% if var('generator_examples') == 'by_user' %}
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
    {{ generator_prompt(user='user_id', history="''") }} as prompt,
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
        {{ history_of(
            'generator',
            'product' if shows_text('generator') else 'item_token',
            over='partition by user_number order by position rows between ' ~ var('history_length') ~ ' preceding and 1 preceding'
        ) }} as history
    from events
)

select
    user_id,
    position,
    {{ generator_prompt(user='user_id', history='history') }} as prompt,
    [item_token] as completions,
    [weight] as weights
from histories
where weight > 0
{% endif %}
