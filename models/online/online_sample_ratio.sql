-- models/online/online_sample_ratio.sql: whether arms have the users they should have: chi-square with one degree of freedom, each arm against control.
{%- set shares = var('online_arm_shares') %}
with arms as (
    select
        arm,
        count(*) as n_users,
        {%- if shares %}
        case arm
            {%- for arm, share in shares.items() %}
            when {{ quote_literal(arm) }} then {{ double(share) }}
            {%- endfor %}
        end as share
        {%- else %}
        {{ double(1) }} as share
        {%- endif %}
    from {{ ref('online_users') }}
    where n_arms = 1
    group by arm
),

expected as (
    select
        treated.arm,
        treated.n_users,
        control.n_users as n_control_users,
        treated.share / (treated.share + control.share) as expected_share
    from arms as treated
    inner join arms as control on control.arm = {{ quote_literal(var('online_control')) }} and treated.arm <> control.arm
),

distances as (
    select
        *,
        abs(n_users - expected_share * (n_users + n_control_users))
        / sqrt(expected_share * (1 - expected_share) * (n_users + n_control_users)) as distance
    from expected
)

select
    arm,
    n_users,
    n_control_users,
    expected_share,
    distance * distance as chi_squared,
    2 * {{ normal_tail('distance') }} as p_value
from distances
