-- models/pairs/labelled_item_pairs.sql: what the judge of item pairs learns from. For each of a user's last `pair_triggers` events of the cross-fit part: the
-- candidates of that item, and whether one is a hit, the event that was held out. All hits, and for each hit a seeded draw of
-- `pair_negatives_per_hit` misses. A drawn miss stands for 1 / share misses: `weight` is what a row stands for, so it keeps the true share of hits, and
-- `balanced_weight`, with which judges learn, lets hits and misses count half each. Folds of users: see labelled_candidates.
{{ instances(entries('item_pair_labels'), name='{labelled}') }}

with recent as (
    select
        user_number,
        item_number,
        row_number() over (partition by user_number order by position desc) - 1 as age
    from {{ ref('interactions_crossfit') }}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('pair_triggers') }}
),

judged as (
    select
        recent.user_number,
        recent.age,
        signals.item_number,
        signals.related_item_number,
        targets.item_number = signals.related_item_number as is_hit,
        {{ draw_seed(['recent.user_number', 'signals.item_number', 'signals.related_item_number'], var('random_seed')) }} as seed,
        {{ draw_seed(['recent.user_number'], var('random_seed') + 1) }} as user_seed
    from recent
    inner join {{ ref('crossfit_targets') }} as targets on targets.user_number = recent.user_number
    inner join {{ ref(features) }} as signals on signals.item_number = recent.item_number
    left join {{ ref('interactions_crossfit') }} as seen
        on seen.user_number = recent.user_number and seen.item_number = signals.related_item_number
    where seen.item_number is null
),

shares as (
    select
        least(
            1,
            {{ double(var('pair_negatives_per_hit')) }} * sum(case when is_hit then 1 else 0 end) / sum(case when is_hit then 0 else 1 end)
        ) as share
    from judged
),

drawn as (
    select
        judged.user_number,
        judged.age,
        judged.item_number,
        judged.related_item_number,
        judged.is_hit,
        judged.user_seed,
        -- the last event counts most, as in the queries of the index.
        power({{ double(var('distil_decay')) }}, judged.age) * case when is_hit then {{ double(1) }} else 1 / shares.share end as raw_weight
    from judged
    cross join shares
    where is_hit or {{ scrambled('seed') }} < shares.share * 2147483647
)

select
    cast(drawn.user_number as integer) as user_number,
    cast(drawn.age as integer) as age,
    drawn.is_hit,
    cast({{ scrambled('drawn.user_seed') }} % {{ var('judge_folds') }} as integer) as fold,
    -- mean 1, so that learning rate and clipping mean the same for any share of hits.
    cast({{ rounded('drawn.raw_weight / avg(drawn.raw_weight) over ()') }} as double) as weight,
    cast({{ rounded('drawn.raw_weight * count(*) over () / (2 * sum(drawn.raw_weight) over (partition by drawn.is_hit))') }} as double) as balanced_weight,
    signals.item_number,
    signals.related_item_number,
    {%- for signal in signals_of(features) %}
    signals.{{ signal }}{{ ',' if not loop.last }}
    {%- endfor %}
from drawn
inner join {{ ref(features) }} as signals
    on signals.item_number = drawn.item_number and signals.related_item_number = drawn.related_item_number
