-- models/online/online_ratios.sql: the value of each metric in each arm with its standard error over users, one row an arm, metric and method, for each
-- day (or random split). Three models tell this story: of the metrics, of the shares of requests behind the percentiles of latency, and of control's halves.
{{ instances([
    {'ratios': 'online_metric_ratios', 'users': 'online_user_metrics', 'by': 'day'},
    {'ratios': 'online_latency_ratios', 'users': 'online_latency_shares', 'by': 'day'},
    {'ratios': 'online_half_ratios', 'users': 'online_half_metrics', 'by': 'split'},
], name='{ratios}') }}
-- A row of what is read is a user and a metric; who has nothing of it has zeros. The value is the ratio R = sum(numerator) / sum(denominator). Its
-- variance by the delta method is that of the mean of numerator - R * denominator, over the squared mean denominator.
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
        -- of numerator - ratio * denominator, in units of the ratio.
        ({{ not_negative('var_numerator - 2 * ratio * covariance + ratio * ratio * var_denominator') }})
        / (mean_denominator * mean_denominator) as var_linearised,
        (covariance_numerator - ratio * covariance_denominator) / mean_denominator as covariance_linearised
    from ratios
    where ratio is not null
),

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
-- CUPED: R - theta * (mean covariate of the arm - that of all arms), with theta by least squares within the arms, takes out what users did by luck
-- before the test already.
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
