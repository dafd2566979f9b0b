-- models/online/online_ratios.sql: the value of each metric in each arm with its standard error over users, one row for each arm, metric and method of
-- each day (or random split). The three models are of the metrics, of the shares of requests behind the percentiles of latency (online_latency.sql), and
-- of random halves of control (online_halves.sql).
{{ instances([
    {'ratios': 'online_metric_ratios', 'users': 'online_user_metrics', 'by': 'day'},
    {'ratios': 'online_latency_ratios', 'users': 'online_latency_shares', 'by': 'day'},
    {'ratios': 'online_half_ratios', 'users': 'online_half_metrics', 'by': 'split'},
], name='{ratios}') }}
-- Each row that is read is one user and one metric, with zeros where the user adds nothing. The value is the ratio R = sum(numerator) / sum(denominator).
-- Its variance by the delta method is that of the mean of numerator - R * denominator, divided by the square of the mean denominator.
with moments as (
    select
        {{ by }},
        arm,
        metric,
        count(*) as n_users,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        avg(denominator) as mean_denominator,
        var_samp(numerator) as var_numerator,
        var_samp(denominator) as var_denominator,
        covar_samp(numerator, denominator) as covariance,
        avg(covariate) as mean_covariate,
        var_samp(covariate) as var_covariate,
        covar_samp(numerator, covariate) as covariance_numerator,
        covar_samp(denominator, covariate) as covariance_denominator
    from {{ ref(users) }}
    group by {{ by }}, arm, metric
),

ratios as (
    select
        *,
        numerator / nullif(denominator, 0) as ratio
    from moments
),

linearised as (
    select
        *,
        -- The variance of numerator - ratio * denominator, in units of the ratio.
        ({{ not_negative('var_numerator - 2 * ratio * covariance + ratio * ratio * var_denominator') }})
        / (mean_denominator * mean_denominator) as var_linearised,
        (covariance_numerator - ratio * covariance_denominator) / mean_denominator as covariance_linearised
    from ratios
    where ratio is not null
),

-- theta is the slope of the metric over the covariate, by least squares within the arms.
pooled as (
    select
        *,
        sum((n_users - 1) * covariance_linearised) over (partition by {{ by }}, metric)
        / nullif(sum((n_users - 1) * var_covariate) over (partition by {{ by }}, metric), 0) as theta,
        sum(n_users * mean_covariate) over (partition by {{ by }}, metric)
        / sum(n_users) over (partition by {{ by }}, metric) as mean_covariate_of_all
    from linearised
)

select
    {{ by }},
    arm,
    metric,
    case when metric = 'l2p' then 'two_proportion' else 'delta' end as method,
    numerator,
    denominator,
    n_users,
    ratio as value,
    sqrt(var_linearised / n_users) as standard_error
from pooled
union all
-- CUPED (a controlled experiment that uses data from before it): R - theta * (mean covariate of the arm - mean covariate of all arms). It takes out the
-- part of a difference that was there before the test, because chance dealt one arm the busier users.
select
    {{ by }},
    arm,
    metric,
    'cuped' as method,
    numerator,
    denominator,
    n_users,
    ratio - theta * (mean_covariate - mean_covariate_of_all) as value,
    sqrt(({{ not_negative('var_linearised - 2 * theta * covariance_linearised + theta * theta * var_covariate') }}) / n_users) as standard_error
from pooled
where theta is not null
