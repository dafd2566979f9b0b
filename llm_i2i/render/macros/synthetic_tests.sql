{#- Generic data tests for synthetic data and what is made of it. Relations default to the public tables of the reference project;
    a project with other names passes its own. Each row carries a `message` that says what was found. -#}

{#- Synthetic data must not pile up on other items than the log does. Two measures, each where its bound is given:
    `max_divergence`: the Jensen-Shannon divergence, in bits (0: the same, 1: nothing in common), between the popularity of the items of the
    rows and that of the items of `real` events. Items are cut, least popular first, into `bins` that hold equal shares of the real events;
    with bins: null each item is its own.
    `max_ratio`: how many times more popular a typical row's item is than a typical event's (geometric means of events + 1; method.md 7.3). -#}
{% macro test_popularity_drift(model, real=none, column_name="item_id", max_divergence=none, max_ratio=none, bins=10) %}
{%- if max_divergence is none and max_ratio is none %}
{{ exceptions.raise_compiler_error("popularity_drift needs max_divergence, max_ratio or both") }}
{%- endif %}
{%- set events = real or ref("interactions_train") %}
with popularity as (
    select
        {{ column_name }} as item,
        count(*) as n_events
    from {{ events }}
    group by {{ column_name }}
),

binned as (
    select
        item,
        n_events,
        {%- if bins is none %}
        row_number() over (order by n_events, item) as bin
        {%- else %}
        -- the item's first event, as a place among all of them.
        floor(
            {{ bins }} * cast(sum(n_events) over (order by n_events, item rows unbounded preceding) - n_events as double)
            / sum(n_events) over ()
        ) as bin
        {%- endif %}
    from popularity
),

tested as (
    select
        -- an item that no event names is less popular than any.
        coalesce(binned.bin, {{ "0" if bins is not none else "-1" }}) as bin,
        coalesce(binned.n_events, 0) as n_events
    from {{ model }} as synthetic
    left join binned on binned.item = synthetic.{{ column_name }}
),

shares as (
    select
        bin,
        sum(n_synthetic) / nullif(sum(sum(n_synthetic)) over (), 0) as p,
        sum(n_real) / nullif(sum(sum(n_real)) over (), 0) as q
    from (
        select bin, cast(1 as double) as n_synthetic, cast(0 as double) as n_real from tested
        union all
        select bin, cast(0 as double) as n_synthetic, cast(n_events as double) as n_real from binned
    ) as counted
    group by bin
),

measured as (
    select
        (
            select
                sum(
                    case when p > 0 then p * log2(2 * p / (p + q)) else 0 end
                    + case when q > 0 then q * log2(2 * q / (p + q)) else 0 end
                ) / 2
            from shares
        ) as divergence,
        exp(
            (select avg(ln(n_events + 1)) from tested)
            - (select sum(n_events * ln(n_events + 1)) / sum(n_events) from binned)
        ) as ratio
)
{%- set bounds = [] %}
{%- if max_divergence is not none %}{% do bounds.append(("divergence", max_divergence, "popularity differs from the log's: Jensen-Shannon divergence {:.3f} bits")) %}{% endif %}
{%- if max_ratio is not none %}{% do bounds.append(("ratio", max_ratio, "items are {:.2f} times as popular as in the log")) %}{% endif %}
{%- for measure, bound, text in bounds %}
{{ "union all" if not loop.first }}
select
    '{{ measure }}' as measure,
    {{ measure }} as value,
    format({{ quote_literal(text ~ ", at most " ~ bound ~ " allowed") }}, {{ measure }}) as message
from measured
where {{ measure }} > {{ bound }}
{%- endfor %}
{% endmacro %}

{#- The share of rows whose item is in the long tail lies between the bounds. `items` has `is_long_tail` for each item. -#}
{% macro test_long_tail_share(model, items=none, column_name="item_id", min_value=0, max_value=1) %}
select
    share,
    format('{:.1f}% of the rows are long-tail items, not {{ (100 * min_value) | round(1) }} to {{ (100 * max_value) | round(1) }}%', 100 * share) as message
from (
    select avg(case when items.is_long_tail then cast(1 as double) else cast(0 as double) end) as share
    from {{ model }} as tested
    inner join {{ items or ref("item_long_tail") }} as items on items.{{ column_name }} = tested.{{ column_name }}
) as shares
where share < {{ min_value }} or share > {{ max_value }}
{% endmacro %}

{#- At most `cap` rows for each value of `per`; no cap, no failure. -#}
{% macro test_row_cap(model, cap, per="user_id") %}
select
    {{ per }},
    count(*) as n_rows
from {{ model }}
group by {{ per }}
having {% if cap is none %}false{% else %}count(*) > {{ cap }}{% endif %}
{% endmacro %}

{#- A synthetic pair says something that the real ones do not. -#}
{% macro test_synthetic_pairs_are_new(model, real=none, columns=["user_id", "item_id"]) %}
select
    {%- for name in columns %}
    tested.{{ name }}{{ "," if not loop.last }}
    {%- endfor %}
from {{ model }} as tested
inner join {{ real or ref("interactions_train") }} as real_pairs
    on {% for name in columns %}real_pairs.{{ name }} = tested.{{ name }}{{ " and " if not loop.last }}{% endfor %}
{% endmacro %}

{#- The expected calibration error of a probability: the mean over all rows of |mean probability - share of outcomes| of the row's bin. Bins hold
    equal numbers of rows, in order of the probability; equal probabilities share a bin. `outcome` is a condition on the row. -#}
{% macro test_expected_calibration_error(model, outcome, max_value, column_name="confidence", bins=10) %}
with judged as (
    select
        cast({{ column_name }} as double) as probability,
        case when {{ outcome }} then cast(1 as double) else cast(0 as double) end as outcome
    from {{ model }} as tested
    where {{ column_name }} is not null
),

places as (
    select
        probability,
        outcome,
        floor({{ bins }} * cast(rank() over (order by probability) - 1 as double) / count(*) over ()) as bin
    from judged
),

gaps as (
    select
        bin,
        count(*) as n_rows,
        abs(avg(probability) - avg(outcome)) as gap
    from places
    group by bin
)

select
    error,
    format('expected calibration error of {{ column_name }} {:.4f} on {} rows, at most {{ max_value }} allowed', error, n_rows) as message
from (select sum(n_rows * gap) / sum(n_rows) as error, sum(n_rows) as n_rows from gaps) as measured
where error > {{ max_value }}
{% endmacro %}

{#- A gate. One arm's metric, of `model` (ranking_metrics), is at least `at_least`, or `ratio` times that of the same recommender without
    augmentation; or, with `over`, its uplift is at least `min_uplift` (0.05: five percent more than the other arm has).
    `over`: `baseline` is the same recommender without augmentation; any other is a value of `against` in `differences` (paired_differences).
    `ci: bootstrap` asks it of the lower bound of the paired 95% interval, not of the difference itself: what is not sure does not pass.
    `recommender` is the var recommender unless it is given; with `auto` it is whichever the arm was made of.
    A gate for which there is no row does not pass either. -#}
{% macro test_ranking_metric_at_least(
    model, metric="recall", k=10, segment="all", split="test", recommender=none, augmentation="llm_i2i",
    at_least=none, ratio=none, over=none, min_uplift=0.0, ci=none, differences=none
) %}
{%- if at_least is none and ratio is none and over is none %}
{{ exceptions.raise_compiler_error("ranking_metric_at_least needs at_least, ratio or over") }}
{%- elif ci not in [none, "bootstrap"] %}
{{ exceptions.raise_compiler_error("ranking_metric_at_least takes ci: bootstrap or none, not " ~ ci) }}
{%- elif ci and not over %}
{{ exceptions.raise_compiler_error("ranking_metric_at_least has ci without over: an interval is of a difference") }}
{%- elif over and not (at_least is none and ratio is none) %}
{{ exceptions.raise_compiler_error("ranking_metric_at_least takes over, or at_least and ratio: write two tests") }}
{%- endif %}
{%- set recommender = recommender or var("recommender", "swing") %}
{%- set arm = metric ~ "@" ~ k ~ " of " ~ ("the index" if recommender == "auto" else recommender) ~ " with " ~ augmentation ~ " (" ~ split ~ ", " ~ segment ~ ")" %}
with arm as (
    select *
    from {{ (differences or ref("paired_differences")) if over else model }}
    where
        augmentation = {{ quote_literal(augmentation) }}
        {%- if recommender != "auto" %}
        and recommender = {{ quote_literal(recommender) }}
        {%- endif %}
        and segment = {{ quote_literal(segment) }}
        and split = {{ quote_literal(split) }}
        and metric = {{ quote_literal(metric) }}
        and k = {{ k }}
        {%- if over %}
        and against = {{ quote_literal("none" if over == "baseline" else over) }}
        {%- endif %}
),
{% if over %}
{%- set bound = "lower" if ci else "difference" %}
judged as (
    select
        value,
        other_value,
        {{ bound }} as bound,
        format(
            {{ quote_literal(arm ~ ": {:.4f}, over " ~ over ~ " {:.4f}: uplift {:+.1f}%" ~ (", lower bound {:+.1f}%" if ci else "") ~ ", at least " ~ "%+.1f" | format(100 * min_uplift) ~ "% wanted") }},
            value,
            other_value,
            100 * difference / nullif(other_value, 0){% if ci %},
            100 * lower / nullif(other_value, 0){% endif %}
        ) as message
    from arm
)

select
    value,
    other_value,
    -- over 0 there is no percentage.
    coalesce(message, {{ quote_literal(arm ~ ": no surer than the other arm, which has 0") }}) as message
from judged
where coalesce(bound < {{ min_uplift }} * other_value, true)
{%- else %}
judged as (
    select
        arm.value,
        plain.value as other_value,
        format({{ quote_literal(arm ~ ": {:.4f}") }}, arm.value)
        || coalesce(format(', {:.4f} without augmentation', plain.value), '') as message
    from arm
    left join {{ model }} as plain
        on plain.recommender = arm.recommender
        and plain.segment = arm.segment
        and plain.split = arm.split
        and plain.metric = arm.metric
        and plain.k = arm.k
        and plain.augmentation = 'none'
)

select
    value,
    other_value,
    message
from judged
where
    false
    {%- if at_least is not none %}
    or value < {{ at_least }}
    {%- endif %}
    {%- if ratio is not none %}
    or value < {{ ratio }} * other_value
    {%- endif %}
{%- endif %}
union all
select
    null as value,
    null as other_value,
    {{ quote_literal(arm ~ (" over " ~ over if over else "") ~ ": there is no such row, so the gate cannot pass") }} as message
where not exists (select 1 from judged)
{% endmacro %}
