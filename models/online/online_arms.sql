-- models/online/online_arms.sql: which users are in which arm of the test (online_users), and whether each arm has the share of the users that it should
-- have (online_sample_ratio): where it has not, something other than chance chose who is compared, and no effect can be believed.
{{ instances([{'table': 'users'}, {'table': 'sample_ratio'}], name='online_{table}') }}
{% if table == 'users' %}
-- A row is a user who came during the test. Where he met several arms, `arm` is the first of them by name, and the models that follow leave him out.
select
    user_id,
    min(arm) as arm,
    cast(count(distinct arm) as integer) as n_arms,
    cast(row_number() over (order by user_id) - 1 as integer) as user_number
from {{ ref('online_requests') }}
where {{ in_online_test('day') }}
group by user_id
{% else %}
-- A row is an arm beside control, with a chi-squared test of one degree of freedom.
{%- set arm_shares = var('online_arm_shares') %}
with arms as (
    select
        arm,
        count(*) as n_users,
        {%- if arm_shares %}
        case arm
            {%- for arm, share in arm_shares.items() %}
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
{% endif %}
