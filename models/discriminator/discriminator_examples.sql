-- models/discriminator/discriminator_examples.sql: what the discriminator learns from, as prompts answered Yes or No. Under the default
-- (discriminator: signals) a prompt has one word for each signal, the signal and its bucket, such as `swing_recent_7 place_0`: the model never
-- sees the item's text (macro signals_prompt, which reads the aliases signals and cuts). With discriminator: history it is the paper's.
{{ config(frozen=var('daily')) }}
{% if var('discriminator') == 'signals' %}
-- Cross-fit proposals, Yes for the event held out. All hits, and a seeded draw of `negatives_per_hit` misses for each, weighted back to their true
-- share, so that the confidence is calibrated.
with seeded as (
    select
        *,
        {{ draw_seed(['user_number', 'item_number'], var('random_seed')) }} as seed
    from {{ ref('crossfit_candidate_signals') }}
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
    {{ signals_prompt('crossfit_candidate_signals') }} as prompt,
    case when signals.is_hit then 'Yes' else 'No' end as completion,
    -- mean 1, so that learning rate and clipping mean the same for any share of hits.
    cast({{ rounded('signals.raw_weight / avg(signals.raw_weight) over ()') }} as double) as weight,
    signals.user_number,
    signals.item_number
from drawn as signals
cross join {{ ref('signal_bucket_edges') }} as cuts
{% else %}
select
    user_id,
    position,
    draw,
    item_id,
    history,
    prompt,
    completion,
    weight,
    user_number,
    item_number
from {{ ref('history_examples') }}
{% endif %}
