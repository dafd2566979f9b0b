-- models/online/online_aa.sql: A/A: control's users are dealt into random halves, over and over, and the halves compared as arms are.
{{ config(enabled=var('online_logs') is not none, tags=['online']) }}
with draws as (
    select
        users.user_id,
        splits.split,
        {{ draw_seed(['users.user_number', 'splits.split'], var('random_seed')) }} as seed
    from {{ ref('online_users') }} as users
    cross join (select unnest(range({{ var('online_aa_splits') }})) as split) as splits
    where users.n_arms = 1 and users.arm = {{ quote_literal(var('online_control')) }}
),

halves as (
    select
        user_id,
        cast(split as integer) as split,
        case when {{ scrambled('seed') }} % 2 = 0 then {{ quote_literal(var('online_control')) }} else 'other half' end as arm
    from draws
),

user_metrics as (
    select
        halves.split,
        halves.arm,
        metrics.metric,
        metrics.numerator,
        metrics.denominator,
        metrics.covariate
    from {{ ref('online_user_metrics') }} as metrics
    inner join halves on halves.user_id = metrics.user_id
    where metrics.day = 'all'
),

estimates as (
    {{ online_ratio_estimates('user_metrics', ['split']) | indent(4) }}
),

comparisons as (
    {{ online_comparisons('estimates', ['split']) | indent(4) }}
)

select
    split,
    metric,
    method,
    difference,
    round(z, 9) as z,
    round(p_value, 9) as p_value,
    n_control_users,
    n_users
from comparisons
