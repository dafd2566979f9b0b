-- models/generator/proposal_prompts.sql: one prompt per user, from the most recent events of a log (method.md 2.5): the train part, the cross-fit
-- part, and the events before each target, where every target counts as a user of its own.
{{ instances(entries('proposals'), name='{prompts}') }}
{{ config(frozen=is_frozen) }}
with recent as (
    select
        train.user_id,
        train.user_number,
        train.position,
        item_numbers.item_token
        {%- if shows_text('generator') %},
        shown.item_token as product
        {%- endif %}
        {%- if discriminator_history() != 'history' %},
        judged.item_token as judged_product
        {%- endif %}
    from {{ ref(events) }} as train
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = train.item_number
    {%- if shows_text('generator') %}
    inner join {{ products_in_prompts('generator') }} as shown on shown.item_number = train.item_number
    {%- endif %}
    {%- if discriminator_history() != 'history' %}
    inner join {{ products_in_prompts('discriminator') }} as judged on judged.item_number = train.item_number
    {%- endif %}
    qualify row_number() over (partition by train.user_number order by train.position desc) <= {{ var('history_length') }}
),

histories as (
    select
        user_id,
        user_number,
        count(*) as n_events,
        {{ history_of('generator', 'product' if shows_text('generator') else 'item_token', order='position') }} as history
        {%- if discriminator_history() != 'history' %},
        {{ history_of('discriminator', 'judged_product', order='position') }} as discriminator_history
        {%- endif %}
    from recent
    group by user_id, user_number
)

select
    user_id,
    history,
    {{ generator_prompt(user='user_id', history='history') }} as prompt,
    cast(n_events as integer) as n_events,
    {%- if discriminator_history() != 'history' %}
    discriminator_history,
    {%- endif %}
    user_number
from histories
