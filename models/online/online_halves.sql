-- models/online/online_halves.sql: the A/A test: random halves of control are compared as arms are, so that no difference between them is real, and
-- hardly more than the share online_alpha of them may seem significant. online_half_metrics deals the users into halves, online_half_ratios
-- (online_ratios.sql) and online_half_effects (online_comparisons.sql) compare these, and online_aa is the result.
{{ instances([{'table': 'online_half_metrics'}, {'table': 'online_aa'}], name='{table}') }}
{% if table == 'online_half_metrics' %}
-- What control's users add to each metric, with each user dealt into one of two random halves, online_aa_splits times.
{{ config(materialized='ephemeral') }}
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
)

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
{% else %}
-- A row compares the two halves of one split by one metric.
select
    split,
    metric,
    method,
    difference,
    round(z, 9) as z,
    round(p_value, 9) as p_value,
    n_control_users,
    n_users
from {{ ref('online_half_effects') }}
{% endif %}
