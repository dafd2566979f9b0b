{# The generator's four stages over any log of events, so that the cross-fitted generator (discriminator/) is the same one on less data. #}

{# Histories and next items with their loss weights (eq. 1-2). `events` as interactions_train. #}
{% macro generator_examples(events) -%}
{% set by_user = {'by_user': true, 'by_position': false}[var('generator_examples')] %}
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
        end as weight,
        count(*) over (partition by train.user_number) - 1 - train.position as age
    from {{ events }} as train
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = train.item_number
    {%- if shows_text('generator') %}
    inner join {{ products_in_prompts('generator') }} as shown on shown.item_number = train.item_number
    {%- endif %}
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
{%- endmacro %}

{# Training log of a generator; `checkpoint` names its weights. `equally`: every target weighs the same (eq. 1), from another start. #}
{% macro fine_tune_generator(examples, equally=false) -%}
{%- set weights = 'list_transform(weights, lambda weight: case when weight > 0 then ' ~ double(1) ~ ' else ' ~ double(0) ~ ' end) as weights' -%}
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    checkpoint
from fine_tune(
    (select prompt, completions, {{ weights if equally else 'weights' }} from {{ examples }} order by user_id, position),
    language_model := {{ language_model(var('language_model')) }},
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    random_seed := {{ var('random_seed') + (1 if equally else 0) }}
)
{%- endmacro %}

{# One prompt per user, from the most recent of `events` (method.md 2.5). #}
{% macro generator_prompts(events) -%}
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
    from {{ events }} as train
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
{%- endmacro %}

{# The items a generator expects next, those of `events` excluded (method.md 2.5). #}
{% macro generated_interactions(generator, prompts, events) -%}
with calls as (
    select
        user_id,
        user_number,
        generate_items(
            prompt,
            n := {{ var('candidates_per_user') }},
            model := (select any_value(checkpoint) from {{ generator }})
        ) as candidates,
        call_key(generate_items(
            prompt,
            n := {{ var('candidates_per_user') }},
            model := (select any_value(checkpoint) from {{ generator }})
        )) as generator_call
    from {{ prompts }}
),

candidates as (
    select
        user_id,
        user_number,
        generator_call,
        unnest(candidates) as candidate
    from calls
),

unseen as (
    select
        candidates.user_id,
        candidates.user_number,
        item_numbers.item_id,
        item_numbers.item_number,
        candidates.candidate.log_probability as log_probability,
        candidates.generator_call
    from candidates
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_token = candidates.candidate.item_token
    -- the call leaves out the items of its prompt; this leaves out older ones too.
    left join {{ events }} as train
        on train.user_number = candidates.user_number and train.item_number = item_numbers.item_number
    where train.item_number is null
)

select
    user_id,
    item_id,
    cast(row_number() over (
        partition by user_number
        order by {{ rounded('log_probability') }} desc, item_number
    ) as integer) as rank,
    log_probability,
    generator_call,
    user_number,
    item_number
from unseen
{%- endmacro %}
