-- models/online/online_latency_percentiles.sql: p50, p95 and p99 of latency with their standard error over users (Woodruff): the share of requests at most as slow as
-- the percentile has a standard error by the delta method; half the distance of the latencies one error below and above is the percentile's.
{{ config(enabled=var('online_logs') is not none, tags=['online']) }}
{%- set percentiles = [50, 95, 99] %}
with requests as (
    select
        cast(requests.day as varchar) as day,
        requests.user_id,
        users.arm,
        requests.latency_ms
    from {{ ref('online_requests') }} as requests
    inner join {{ ref('online_users') }} as users on users.user_id = requests.user_id
    where users.n_arms = 1 and {{ in_online_test('requests.day') }}
),

spans as (
    select day, user_id, arm, latency_ms from requests
    union all
    select 'all' as day, user_id, arm, latency_ms from requests
),

percentiles as (
    {%- for p in percentiles %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        day,
        arm,
        'latency_p{{ p }}' as metric,
        {{ double(p / 100) }} as share,
        quantile_cont(latency_ms, {{ double(p / 100) }}) as value
    from spans
    group by day, arm
    {%- endfor %}
),

user_shares as (
    select
        spans.day,
        spans.arm,
        percentiles.metric,
        spans.user_id,
        sum(case when spans.latency_ms <= percentiles.value then {{ double(1) }} else {{ double(0) }} end) as numerator,
        cast(count(*) as double) as denominator,
        cast(null as double) as covariate
    from spans
    inner join percentiles on percentiles.day = spans.day and percentiles.arm = spans.arm
    group by spans.day, spans.arm, percentiles.metric, spans.user_id
),

shares as (
    {{ online_ratio_estimates('user_shares', ['day']) | indent(4) }}
),

levels as (
    select
        shares.day,
        shares.arm,
        shares.metric,
        shares.denominator,
        shares.n_users,
        percentiles.value,
        percentiles.share - shares.standard_error as lower_share,
        -- above all requests: the slowest.
        case
            when percentiles.share + shares.standard_error > 1 then {{ double(1) }}
            else percentiles.share + shares.standard_error
        end as upper_share
    from shares
    inner join percentiles
        on percentiles.day = shares.day and percentiles.arm = shares.arm and percentiles.metric = shares.metric
),

ranked as (
    select
        day,
        arm,
        latency_ms,
        row_number() over (partition by day, arm order by latency_ms) as place
    from spans
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
