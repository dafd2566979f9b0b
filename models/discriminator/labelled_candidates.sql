-- models/discriminator/labelled_candidates.sql: what the judge of candidates learns from: cross-fit proposals, a hit being the event held out. All hits, and
-- for each of them a seeded draw of `negatives_per_hit` misses. A drawn miss stands for 1 / share misses: `weight` is what a row stands for, so it keeps
-- the true share of hits. The judge learns with `balanced_weight`, in which hits and misses count half each: where hits are rare, it would otherwise
-- learn little more than that they are. scored_interactions then moves its margins back by the log odds of `weight`.
-- Users are dealt into `judge_folds` folds. The judge learns from none of fold 0, which says whether it has learned (judge_learning), and fold 1 says
-- when its training stops.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
with seeded as (
    select
        *,
        {{ draw_seed(['user_number', 'item_number'], var('random_seed')) }} as seed,
        {{ draw_seed(['user_number'], var('random_seed') + 1) }} as user_seed
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
    user_id,
    item_id,
    rank,
    is_hit,
    cast({{ scrambled('user_seed') }} % {{ var('judge_folds') }} as integer) as fold,
    -- mean 1, so that learning rate and clipping mean the same for any share of hits.
    cast({{ rounded('raw_weight / avg(raw_weight) over ()') }} as double) as weight,
    cast({{ rounded('raw_weight * count(*) over () / (2 * sum(raw_weight) over (partition by is_hit))') }} as double) as balanced_weight,
    {%- for signal in signals_of('crossfit_candidate_signals') %}
    {{ signal }},
    {%- endfor %}
    generator_call,
    user_number,
    item_number
from drawn
