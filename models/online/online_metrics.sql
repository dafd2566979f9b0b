-- models/online/online_metrics.sql: every metric of every arm, for each day and for all days.
with estimates as (
    select day, arm, metric, method, value, standard_error, numerator, denominator, n_users
    from {{ ref('online_metric_ratios') }}
    union all
    select day, arm, metric, method, value, standard_error, cast(null as double) as numerator, denominator, n_users
    from {{ ref('online_latency_percentiles') }}
)

-- Rounded, because sums of doubles differ in their last bits from run to run.
select
    day,
    arm,
    metric,
    method,
    round(value, 12) as value,
    round(standard_error, 12) as standard_error,
    round(numerator, 6) as numerator,
    denominator,
    n_users
from estimates
