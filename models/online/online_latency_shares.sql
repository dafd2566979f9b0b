-- models/online/online_latency_shares.sql: how many of each user's requests were no slower than each percentile of the arm, and of how many.
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
