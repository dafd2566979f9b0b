{# Words of the SQL of models/online: days, credit, the normal distribution, and the data tests of an A/B test (method.md 4.2; docs/online.md). #}

{# Whether a date is in the test; with var online_start what is before is the pre-period. #}
{% macro in_online_test(day) -%}
{%- if var('online_start') is none -%}
true
{%- else -%}
{{ day }} >= cast({{ quote_literal(var('online_start') | string) }} as date)
{%- endif -%}
{%- endmacro %}

{# Whether an exposure or click is recent enough to be credited with an order: the same day, or `online_attribution_days` at most. #}
{% macro is_attributed(touched_at, ordered_at) -%}
{{ touched_at }} <= {{ ordered_at }} and
{%- if var('online_attribution_days') == 0 %} cast({{ touched_at }} as date) = cast({{ ordered_at }} as date)
{%- else %} {{ touched_at }} >= {{ ordered_at }} - interval '{{ var('online_attribution_days') }}' day
{%- endif %}
{%- endmacro %}

{# -- the normal distribution ------------------------------------------------------------------------------------------ #}

{# ((c0 x + c1) x + c2) ... ; coefficients from the highest power down, written with an exponent: DOUBLE on every engine. #}
{% macro polynomial(x, coefficients) -%}
{{ '(' * (coefficients | length - 1) }}{{ coefficients[0] }}{% for c in coefficients[1:] %} * {{ x }} + {{ c }}){% endfor %}
{%- endmacro %}

{# P(Z > a) of a standard normal Z for a >= 0; `a` must be a plain column. Hart's rational approximation (1968, no. 5666) up to 7.07, a continued
   fraction beyond, which engines without erf can compute. Relative error below 1e-13 up to 7, 1e-8 beyond (tests hold it against scipy). #}
{% macro normal_tail(a) -%}
case
    when {{ a }} < 7.07106781186547e0 then exp(-{{ a }} * {{ a }} / 2) * {{ polynomial(a, [
        '3.52624965998911e-2', '7.00383064443688e-1', '6.37396220353165e0', '3.3912866078383e1', '1.12079291497871e2', '2.21213596169931e2',
        '2.20206867912376e2',
    ]) }} / {{ polynomial(a, [
        '8.83883476483184e-2', '1.75566716318264e0', '1.6064177579207e1', '8.67807322029461e1', '2.96564248779674e2', '6.37333633378831e2',
        '7.93826512519948e2', '4.40413735824752e2',
    ]) }}
    else exp(-{{ a }} * {{ a }} / 2) / ({{ a }} + 1 / ({{ a }} + 2 / ({{ a }} + 3 / ({{ a }} + 4 / ({{ a }} + 6.5e-1))))) / 2.506628274631e0
end
{%- endmacro %}

{# The x with P(Z <= x) = share, a number in (0, 1) known when the template is rendered. Acklam's approximation, relative error below 1.2e-9. #}
{% macro normal_quantile(share) -%}
{%- set tail = ['-7.784894002430293e-3', '-3.223964580411365e-1', '-2.400758277161838e0', '-2.549732539343734e0', '4.374664141464968e0', '2.938163982698783e0'] -%}
{%- set tail_below = ['7.784695709041462e-3', '3.224671290700398e-1', '2.445134137142996e0', '3.754408661907416e0', '1.0e0'] -%}
{%- set centre = ['-3.969683028665376e1', '2.209460984245205e2', '-2.759285104469687e2', '1.383577518672690e2', '-3.066479806614716e1', '2.506628277459239e0'] -%}
{%- set centre_below = ['-5.447609879822406e1', '1.615858368580409e2', '-1.556989798598866e2', '6.680131188771972e1', '-1.328068155288572e1', '1.0e0'] -%}
{%- if share < 0.02425 or share > 0.97575 -%}
{%- set q = 'sqrt(-2 * ln(' ~ double([share, 1 - share] | min) ~ '))' -%}
({{ '-1 * ' if share > 0.5 }}({{ polynomial(q, tail) }}) / ({{ polynomial(q, tail_below) }}))
{%- else -%}
{%- set r = double((share - 0.5) ** 2) -%}
({{ double(share - 0.5) }} * ({{ polynomial(r, centre) }}) / ({{ polynomial(r, centre_below) }}))
{%- endif -%}
{%- endmacro %}

{# A sum of squares that rounding may have left just below zero. greatest(0, x) would make 0 of null. #}
{% macro not_negative(x) -%}
case when {{ x }} < 0 then 0 else {{ x }} end
{%- endmacro %}

{# -- data tests --------------------------------------------------------------------------------------------------------- #}

{# Users who met more than one arm, where they are more than `max_share` of the users. They are left out in any case. #}
{% macro test_one_arm_a_user(model, max_share) %}
select
    n_mixed || ' of ' || n_users || ' users met more than one arm: is the arm a function of the user?' as message
from (
    select
        sum(case when n_arms > 1 then 1 else 0 end) as n_mixed,
        count(*) as n_users
    from {{ model }}
) as counted
where n_mixed > {{ double(max_share) }} * n_users
{% endmacro %}

{# There are users of control, and of another arm. #}
{% macro test_has_control(model) %}
select
    'no user of the control arm ' || {{ quote_literal(quote_literal(var('online_control'))) }} || '; arms: ' || coalesce(arms, 'none')
    || '; set the var online_control' as message
from (
    select
        string_agg(distinct arm, ', ') as arms,
        sum(case when arm = {{ quote_literal(var('online_control')) }} then 1 else 0 end) as n_control
    from {{ model }}
) as counted
where coalesce(n_control, 0) = 0
union all
select 'all users are of one arm, there is nothing to compare' as message
from (select count(distinct arm) as n_arms from {{ model }}) as counted
where n_arms = 1
{% endmacro %}

{# Sample ratio mismatch (method.md: stop if p < .001): the arms are not dealt as they should be, whatever the metrics say. #}
{% macro test_sample_ratio(model, min_p_value) %}
select
    *,
    case
        when p_value is null then 'arm ' || arm || ' or control has no share in online_arm_shares'
        else 'sample ratio mismatch: arm ' || arm || ' has ' || n_users || ' users against ' || n_control_users || ' of control, expected a share of '
            || round(expected_share, 4) || ' (p = ' || p_value || '); find out why before reading any effect'
    end as message
from {{ model }}
where p_value is null or p_value < {{ double(min_p_value) }}
{% endmacro %}

{# A/A: of random halves of control, online_alpha at most may differ, but for the luck of so many draws (three standard errors). More: intervals here are too narrow. #}
{% macro test_aa_flags(model) %}
{%- set alpha = var('online_alpha') %}
select
    metric,
    method,
    n_splits,
    share_flagged,
    metric || ' (' || method || ') differs in ' || round(100 * share_flagged, 1) || '% of ' || n_splits || ' random halves of control' as message
from (
    select
        metric,
        method,
        count(p_value) as n_splits,
        avg(case when p_value < {{ double(alpha) }} then {{ double(1) }} else {{ double(0) }} end) as share_flagged
    from {{ model }}
    where p_value is not null
    group by metric, method
) as flags
where share_flagged > {{ double(alpha) }} + 3 * sqrt({{ double(alpha * (1 - alpha)) }} / n_splits)
{% endmacro %}

{# Each click is on an item that its request showed. #}
{% macro test_clicks_were_shown(model) %}
select
    tested.request_id,
    tested.item_id
from {{ model }} as tested
left join {{ ref('online_exposures') }} as exposures
    on exposures.request_id = tested.request_id and exposures.item_id = tested.item_id
where exposures.request_id is null
{% endmacro %}
