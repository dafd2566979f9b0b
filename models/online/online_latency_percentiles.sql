-- models/online/online_latency_percentiles.sql: the median, 95th and 99th percentile of latency with their standard error over users (Woodruff): the share
-- of requests that are no slower than the percentile has a standard error by the delta method (online_latency_ratios); half the distance between the
-- latencies one error below and one above that share is the percentile's.
with levels as (
    select
        shares.day,
        shares.arm,
        shares.metric,
        shares.denominator,
        shares.n_users,
        percentiles.value,
        percentiles.share - shares.standard_error as lower_share,
        -- One error above all requests: the slowest.
        case
            when percentiles.share + shares.standard_error > 1 then {{ double(1) }}
            else percentiles.share + shares.standard_error
        end as upper_share
    from {{ ref('online_latency_ratios') }} as shares
    inner join {{ ref('online_latency_quantiles') }} as percentiles
        on percentiles.day = shares.day and percentiles.arm = shares.arm and percentiles.metric = shares.metric
),

ranked as (
    select
        day,
        arm,
        latency_ms,
        row_number() over (partition by day, arm order by latency_ms) as place
    from {{ ref('online_latencies') }}
),

bounds as (
    select
        levels.day,
        levels.arm,
        levels.metric,
        min(case when ranked.place >= levels.lower_share * levels.denominator then ranked.latency_ms end) as lower,
        min(case when ranked.place >= levels.upper_share * levels.denominator then ranked.latency_ms end) as upper
    from levels
    inner join ranked on ranked.day = levels.day and ranked.arm = levels.arm
    group by levels.day, levels.arm, levels.metric
)

select
    levels.day,
    levels.arm,
    levels.metric,
    'woodruff' as method,
    levels.denominator,
    levels.n_users,
    levels.value,
    (bounds.upper - bounds.lower) / 2 as standard_error
from levels
inner join bounds on bounds.day = levels.day and bounds.arm = levels.arm and bounds.metric = levels.metric
