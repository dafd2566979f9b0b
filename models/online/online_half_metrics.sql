-- models/online/online_half_metrics.sql: what control's users add to each metric, with each user dealt into one of two random halves, over and over.
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
