-- models/online/online_metrics.sql: every metric of every arm, for each day and for all days.
{{ config(enabled=var('online_logs') is not none, tags=['online']) }}
with ratios as (
    {{ online_ratio_estimates(ref('online_user_metrics'), ['day']) | indent(4) }}
),

estimates as (
    select day, arm, metric, method, value, standard_error, numerator, denominator, n_users from ratios
    union all
    select day, arm, metric, method, value, standard_error, cast(null as double) as numerator, denominator, n_users
    from {{ ref('online_latency_percentiles') }}
)

-- rounded: sums of doubles differ in the last bits from run to run.
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
