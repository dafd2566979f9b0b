{# The paper's discriminator (eq. 3): observed pairs answered Yes, drawn items (negatives.sql) answered No; both read the history before the observed
   pair, never the pair itself or what follows. Train part only. #}
{% macro history_examples() -%}
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

{{ negative_draws() }},

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
    from drawn
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
{%- endmacro %}

{# The discriminator on signals (method.md 2.11): cross-fit candidates, Yes for the event held out. All hits, and a seeded draw of
   `negatives_per_hit` misses for each, reweighted to the true share, so that the confidence is calibrated. #}
{% macro signal_examples() -%}
with seeded as (
    select
        *,
        {{ draw_seed(['user_number', 'item_number'], var('random_seed')) }} as seed
    from {{ ref('crossfit_signals') }}
),

shares as (
    select least(1, {{ double(var('negatives_per_hit')) }} * sum(case when is_hit then 1 else 0 end) / sum(case when is_hit then 0 else 1 end)) as share
    from seeded
),

drawn as (
    select
        seeded.*,
        case when is_hit then {{ double(1) }} else 1 / shares.share end as raw_weight
    from seeded
    cross join shares
    where is_hit or {{ scrambled('seed') }} < shares.share * 2147483647
)

select
    signals.user_id,
    signals.item_id,
    cast(signals.rank as integer) as position,
    0 as draw,
    {{ signals_prompt() }} as prompt,
    case when signals.is_hit then 'Yes' else 'No' end as completion,
    -- mean 1, so that learning rate and clipping mean the same for any share of hits.
    cast({{ rounded('signals.raw_weight / avg(signals.raw_weight) over ()') }} as double) as weight,
    signals.user_number,
    signals.item_number
from drawn as signals
cross join {{ ref('signal_bucket_edges') }} as cuts
{%- endmacro %}
