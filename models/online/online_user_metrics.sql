-- models/online/online_user_metrics.sql: every metric is the ratio of two sums over users. A row is what one user adds to the two sums, on one day
-- of the test or, where the day is 'all', on all of them. Days before the test (var online_start) only serve for the covariate.
{%- set is_buyer = 'case when n_orders > 0 then 1 else 0 end' %}
{%- set is_exposed = 'case when n_exposures > 0 then 1 else 0 end' %}
{%- set metrics = {
    'rn': ('n_retrieved', 'n_requests'),
    'l2p': (is_buyer, is_exposed),
    'ctr': ('n_clicks', 'n_exposures'),
    'cvr': ('n_clicked_orders', 'n_clicks'),
    'gmv': ('amount', is_exposed),
    'gmv_winsorised': ('least(amount, cap)', is_exposed),
    'latency': ('latency_ms', 'n_requests'),
} %}
{%- set sums = 'n_requests n_retrieved latency_ms n_exposures n_clicks n_orders n_clicked_orders amount'.split() %}
with users as (
    select
        user_id,
        arm,
        cast(day as varchar) as day,
        {{ sums | join(', ') }}
    from {{ ref('online_user_days') }}
    where is_test
    union all
    select
        user_id,
        arm,
        case when is_test then 'all' else 'before' end as day,
        {%- for name in sums %}
        sum({{ name }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('online_user_days') }}
    group by user_id, arm, is_test
),

-- A few users with very large orders make the mean amount uncertain, so the metric gmv_winsorised caps each user's amount at a high quantile.
caps as (
    select
        day,
        quantile_cont(amount, {{ double(var('online_winsorise')) }}) as cap
    from users
    where n_exposures > 0
    group by day
),

capped as (
    select
        users.*,
        caps.cap
    from users
    left join caps on caps.day = users.day
),

measured as (
    {%- for metric, (numerator, denominator) in metrics.items() %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        day,
        user_id,
        arm,
        '{{ metric }}' as metric,
        cast({{ numerator }} as double) as numerator,
        cast({{ denominator }} as double) as denominator
    from capped
    {%- endfor %}
),

-- How much more a user had before the test than the average user would have had with the same denominator.
before as (
    select
        user_id,
        metric,
        numerator - sum(numerator) over (partition by metric) / nullif(sum(denominator) over (partition by metric), 0) * denominator as covariate
    from measured
    where day = 'before'
)

select
    measured.day,
    measured.user_id,
    measured.arm,
    measured.metric,
    measured.numerator,
    measured.denominator,
    {%- if var('online_start') is none %}
    cast(null as double) as covariate
    {%- else %}
    coalesce(before.covariate, 0) as covariate
    {%- endif %}
from measured
left join before on before.user_id = measured.user_id and before.metric = measured.metric
where measured.day <> 'before'
