-- models/online/online_comparisons.sql: each arm against control, metric by metric, with intervals and tests. The result of the A/B test are the rows of
-- online_effects with day 'all'; the single days show how it came about. online_half_effects compares random halves of control as if they were arms
-- (online_halves.sql).
{{ instances([
    {'comparisons': 'online_effects', 'estimates': 'online_metrics', 'by': 'day'},
    {'comparisons': 'online_half_effects', 'estimates': 'online_half_ratios', 'by': 'split'},
], name='{comparisons}') }}
{#- The metrics of the paper's Table 6. They are tested together, so their p-values are corrected for how many they are. #}
{%- set primary = "('rn', 'l2p', 'ctr', 'cvr', 'gmv', 'latency')" %}
with pairs as (
    select
        treated.{{ by }},
        treated.arm,
        treated.metric,
        treated.method,
        case when treated.method = 'cuped' then 'cuped' else 'plain' end as family,
        control.value as control_value,
        treated.value,
        treated.standard_error * treated.standard_error as variance,
        control.standard_error * control.standard_error as control_variance,
        case
            when treated.method = 'two_proportion' then
                (treated.numerator + control.numerator) / (treated.denominator + control.denominator)
        end as pooled_share,
        1 / treated.denominator + 1 / control.denominator as inverse_sizes,
        control.n_users as n_control_users,
        treated.n_users
    from {{ ref(estimates) }} as treated
    inner join {{ ref(estimates) }} as control
        on control.metric = treated.metric
        and control.method = treated.method
        and control.{{ by }} = treated.{{ by }}
    where control.arm = {{ quote_literal(var('online_control')) }} and treated.arm <> control.arm
),

errors as (
    select
        *,
        value - control_value as difference,
        sqrt(variance + control_variance) as standard_error,
        -- The standard error by which the difference is tested: that of Welch's test or, for two proportions, that of the share of both arms together.
        nullif(case
            when method = 'two_proportion' then sqrt(pooled_share * (1 - pooled_share) * inverse_sizes)
            else sqrt(variance + control_variance)
        end, 0) as null_error,
        {{ normal_quantile(1 - var('online_alpha') / 2) }} as width
    from pairs
),

scores as (
    select
        *,
        difference / null_error as z,
        abs(difference / null_error) as distance,
        -- Fieller's interval of value / control_value holds each r with (value - r * control_value)^2 <= width^2 * (variance + r^2 * control_variance).
        -- Its ends are the roots of a quadratic equation in r, with these two as first and last coefficient.
        control_value * control_value - width * width * control_variance as fieller_a,
        value * value - width * width * variance as fieller_c
    from errors
),

tested as (
    select
        *,
        2 * {{ normal_tail('distance') }} as p_value,
        sqrt({{ not_negative('control_value * control_value * value * value - fieller_a * fieller_c') }}) as fieller_root
    from scores
),

ordered as (
    select
        *,
        metric in {{ primary }} and p_value is not null as is_corrected,
        count(case when metric in {{ primary }} then p_value end) over (partition by {{ by }}, arm, family) as n_tests,
        row_number() over (
            partition by {{ by }}, arm, family, metric in {{ primary }} and p_value is not null
            order by p_value, metric
        ) as place
    from tested
),

corrected as (
    select
        *,
        -- Holm's correction: the smallest of n p-values is multiplied by n, the next by n - 1 and so on, and none may be below the one before.
        case
            when is_corrected then
                max(least(1, (n_tests - place + 1) * p_value)) over (
                    partition by {{ by }}, arm, family, is_corrected
                    order by place
                    rows between unbounded preceding and current row
                )
        end as p_holm
    from ordered
)

select
    {{ by }},
    arm,
    metric,
    method,
    control_value,
    value,
    difference,
    difference - width * standard_error as lower,
    difference + width * standard_error as upper,
    value / nullif(control_value, 0) - 1 as change,
    -- Null where the value of control cannot be told from zero, for then the interval has no ends.
    case when fieller_a > 0 then (control_value * value - fieller_root) / fieller_a - 1 end as change_lower,
    case when fieller_a > 0 then (control_value * value + fieller_root) / fieller_a - 1 end as change_upper,
    standard_error,
    z,
    p_value,
    p_holm,
    p_holm < {{ double(var('online_alpha')) }} as is_significant,
    -- The true change that a test with so many users finds with probability online_power.
    (width + {{ normal_quantile(var('online_power')) }}) * standard_error / nullif(abs(control_value), 0) as minimal_detectable_change,
    n_control_users,
    n_users
from corrected
