-- models/online/online_latency.sql: the median, 95th and 99th percentile of latency in each arm, with their standard error over users, in four steps:
-- online_latencies, online_latency_quantiles, online_latency_shares (which online_ratios reads) and, as the result, online_latency_percentiles.
{{ instances(
    [{'step': 'latencies'}, {'step': 'latency_quantiles'}, {'step': 'latency_shares'}, {'step': 'latency_percentiles'}],
    name='online_{step}'
) }}
{% if step == 'latencies' %}
-- The latency of each request of the test, once under its day and once under all days.
{{ config(materialized='ephemeral') }}
with requests as (
    select
        cast(requests.day as varchar) as day,
        requests.user_id,
        users.arm,
        requests.latency_ms
    from {{ ref('online_requests') }} as requests
    inner join {{ ref('online_users') }} as users on users.user_id = requests.user_id
    where users.n_arms = 1 and {{ in_online_test('requests.day') }}
)

select
    day,
    user_id,
    arm,
    latency_ms
from requests
union all
select
    'all' as day,
    user_id,
    arm,
    latency_ms
from requests
{% elif step == 'latency_quantiles' %}
-- The latency that 50, 95 and 99 percent of an arm's requests stay below, for each day and for all days.
{%- for p in [50, 95, 99] %}
{%- if not loop.first %}
union all
{%- endif %}
select
    day,
    arm,
    'latency_p{{ p }}' as metric,
    {{ double(p / 100) }} as share,
    quantile_cont(latency_ms, {{ double(p / 100) }}) as value
from {{ ref('online_latencies') }}
group by day, arm
{%- endfor %}
{% elif step == 'latency_shares' %}
-- How many of each user's requests were no slower than each percentile of the arm, and out of how many. online_ratios makes online_latency_ratios of it:
-- the same share over all requests of the arm, with its standard error by the delta method.
{{ config(materialized='ephemeral') }}
select
    latencies.day,
    latencies.arm,
    quantiles.metric,
    latencies.user_id,
    sum(case when latencies.latency_ms <= quantiles.value then {{ double(1) }} else {{ double(0) }} end) as numerator,
    cast(count(*) as double) as denominator,
    cast(null as double) as covariate
from {{ ref('online_latencies') }} as latencies
inner join {{ ref('online_latency_quantiles') }} as quantiles on quantiles.day = latencies.day and quantiles.arm = latencies.arm
group by latencies.day, latencies.arm, quantiles.metric, latencies.user_id
{% else %}
-- The percentiles with their standard errors (Woodruff's method): the percentile's standard error is half the distance between two latencies, the one
-- that belongs to the share of requests less its standard error, and the one that belongs to the share plus its standard error.
with levels as (
    select
        shares.day,
        shares.arm,
        shares.metric,
        shares.denominator,
        shares.n_users,
        percentiles.value,
        percentiles.share - shares.standard_error as lower_share,
        -- A share of more than all requests belongs to the slowest of them.
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
{% endif %}
