-- models/evaluation/paired_differences.sql: each result against what it must beat, user by user: difference, standard error, 95% interval.
-- The interval is a bootstrap over users, in {{ var('bootstrap_resamples') }} resamples that all comparisons share. Users are dealt into 500 groups and
-- groups are drawn with replacement: with up to 500 users that is the bootstrap over users itself, with more it has the same expectation, and
-- its cost does not grow with the log.
{% set groups = 500 %}
{% set cutoffs = [5, 10, 20] %}
{% set metrics = ['recall', 'ndcg'] %}
{% set segments = segment_names().split() %}
with arms as (
    select distinct
        recommender,
        augmentation
    from {{ ref('target_ranks_all') }}
),

best_arm as (
    -- chosen on validation; a protocol without validation targets leaves only test.
    select recommender
    from {{ ref('ranking_metrics') }}
    where augmentation = 'none' and segment = 'all' and metric = 'recall' and k = 10
    order by split desc, value desc, recommender
    limit 1
),

comparisons as (
    select
        arm.recommender,
        arm.augmentation,
        other.augmentation as against,
        other.recommender as other_recommender,
        other.augmentation as other_augmentation
    from arms as arm
    inner join arms as other on other.recommender = arm.recommender
    where
        (arm.augmentation = 'llm_i2i' and other.augmentation <> 'llm_i2i')
        or (arm.augmentation = 'llm_i2i_others' and other.augmentation = 'none')
    union all
    select
        '{{ var('recommender') }}' as recommender,
        'llm_i2i' as augmentation,
        'best_without_language_model' as against,
        recommender as other_recommender,
        'none' as other_augmentation
    from best_arm
),

gains as (
    select
        recommender,
        augmentation,
        split,
        is_long_tail,
        {% if var('near_column') %}
        is_near,
        {% endif %}
        target_number,
        {% for k in cutoffs %}
        case when rank <= {{ k }} then {{ double(1) }} else {{ double(0) }} end as recall_{{ k }},
        case when rank <= {{ k }} then 1 / log2(cast(rank + 1 as double)) else {{ double(0) }} end as ndcg_{{ k }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('target_ranks_all') }}
),

-- one row per comparison and target.
differences as (
    select
        comparisons.recommender,
        comparisons.augmentation,
        comparisons.against,
        gains.split,
        gains.target_number // 2 % {{ groups }} as user_group,
        {% for segment in segments %}
        case when {{ in_segment(segment) | replace('is_', 'gains.is_') }} then 1 else 0 end as in_{{ segment }},
        {% endfor %}
        {% for metric in metrics %}{% for k in cutoffs %}
        gains.{{ metric }}_{{ k }} - other_gains.{{ metric }}_{{ k }} as {{ metric }}_{{ k }}{{ ',' if not (metric == metrics[-1] and loop.last) }}
        {% endfor %}{% endfor %}
    from comparisons
    inner join gains on gains.recommender = comparisons.recommender and gains.augmentation = comparisons.augmentation
    inner join gains as other_gains
        on other_gains.recommender = comparisons.other_recommender
        and other_gains.augmentation = comparisons.other_augmentation
        and other_gains.target_number = gains.target_number
),

group_sums as (
    select
        recommender,
        augmentation,
        against,
        split,
        user_group,
        {% for segment in segments %}
        sum(in_{{ segment }}) as n_{{ segment }},
        {% for metric in metrics %}{% for k in cutoffs %}
        sum(in_{{ segment }} * {{ metric }}_{{ k }}) as {{ segment }}_{{ metric }}_{{ k }},
        sum(in_{{ segment }} * {{ metric }}_{{ k }} * {{ metric }}_{{ k }}) as {{ segment }}_{{ metric }}_{{ k }}_squares,
        {% endfor %}{% endfor %}
        {% endfor %}
        count(*) as n_targets
    from differences
    group by recommender, augmentation, against, split, user_group
),

-- how often each group was drawn.
draws as (
    select
        resamples.resample,
        places.place,
        {{ draw_seed(['resamples.resample', 'places.place'], var('bootstrap_seed')) }} as seed
    from (select unnest(range({{ var('bootstrap_resamples') }})) as resample) as resamples
    cross join (select unnest(range({{ groups }})) as place) as places
),

weights as (
    select
        resample,
        {{ scrambled('seed') }} % {{ groups }} as user_group,
        cast(count(*) as double) as weight
    from draws
    group by resample, user_group
),

resampled as (
    select
        group_sums.recommender,
        group_sums.augmentation,
        group_sums.against,
        group_sums.split,
        weights.resample,
        {% for segment in segments %}
        {% for metric in metrics %}{% for k in cutoffs %}
        sum(weights.weight * group_sums.{{ segment }}_{{ metric }}_{{ k }}) / nullif(sum(weights.weight * group_sums.n_{{ segment }}), 0)
            as {{ segment }}_{{ metric }}_{{ k }},
        {% endfor %}{% endfor %}
        {% endfor %}
        count(*) as n_groups
    from group_sums
    inner join weights on weights.user_group = group_sums.user_group
    group by group_sums.recommender, group_sums.augmentation, group_sums.against, group_sums.split, weights.resample
),

intervals as (
    select
        recommender,
        augmentation,
        against,
        split,
        {% for segment in segments %}{% for metric in metrics %}{% for k in cutoffs %}
        quantile_cont({{ segment }}_{{ metric }}_{{ k }}, [0.025, 0.975]) as {{ segment }}_{{ metric }}_{{ k }},
        {% endfor %}{% endfor %}{% endfor %}
        count(*) as n_resamples
    from resampled
    group by recommender, augmentation, against, split
),

totals as (
    select
        recommender,
        augmentation,
        against,
        split,
        {% for segment in segments %}
        sum(n_{{ segment }}) as n_{{ segment }},
        {% for metric in metrics %}{% for k in cutoffs %}
        sum({{ segment }}_{{ metric }}_{{ k }}) as {{ segment }}_{{ metric }}_{{ k }},
        sum({{ segment }}_{{ metric }}_{{ k }}_squares) as {{ segment }}_{{ metric }}_{{ k }}_squares,
        {% endfor %}{% endfor %}
        {% endfor %}
        sum(n_targets) as n_targets
    from group_sums
    group by recommender, augmentation, against, split
),

-- one row per comparison, split and place in the lists below: one segment, metric and cutoff.
long_form as (
    select
        totals.recommender,
        totals.augmentation,
        totals.against,
        totals.split,
        {% for name, value in [
            ('segment', "'{segment}'"),
            ('metric', "'{metric}'"),
            ('k', '{k}'),
            ('difference_sum', 'totals.{column}'),
            ('difference_squares', 'totals.{column}_squares'),
            ('bounds', 'intervals.{column}'),
            ('n_users', 'cast(totals.n_{segment} as double)'),
        ] %}
        [
            {% for segment in segments %}{% for metric in metrics %}{% for k in cutoffs %}
            {{ value.format(segment=segment, metric=metric, k=k, column=segment ~ '_' ~ metric ~ '_' ~ k) }},
            {% endfor %}{% endfor %}{% endfor %}
        ][places.place] as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from totals
    inner join intervals
        on intervals.recommender = totals.recommender
        and intervals.augmentation = totals.augmentation
        and intervals.against = totals.against
        and intervals.split = totals.split
    cross join (select unnest(range(1, {{ 1 + segments | length * metrics | length * cutoffs | length }})) as place) as places
)

select
    long_form.recommender,
    long_form.augmentation,
    long_form.against,
    comparisons.other_recommender,
    comparisons.other_augmentation,
    long_form.split,
    long_form.segment,
    long_form.metric,
    cast(long_form.k as integer) as k,
    arm.value,
    other.value as other_value,
    -- rounded: sums of doubles differ in the last bits from run to run.
    round(long_form.difference_sum / long_form.n_users, 12) as difference,
    case
        when long_form.n_users > 1 then round(sqrt(
            greatest(0, long_form.difference_squares - long_form.difference_sum * long_form.difference_sum / long_form.n_users)
            / (long_form.n_users - 1) / long_form.n_users
        ), 12)
    end as standard_error,
    round(long_form.bounds[1], 12) as lower,
    round(long_form.bounds[2], 12) as upper,
    -- 0.1 = ten percent more.
    round(arm.value / nullif(other.value, 0) - 1, 4) as relative_gain,
    cast(long_form.n_users as integer) as n_users,
    arm.protocol
from long_form
inner join comparisons
    on comparisons.recommender = long_form.recommender
    and comparisons.augmentation = long_form.augmentation
    and comparisons.against = long_form.against
{% for name, recommender, augmentation in [
    ('arm', 'comparisons.recommender', 'comparisons.augmentation'),
    ('other', 'comparisons.other_recommender', 'comparisons.other_augmentation'),
] %}
inner join {{ ref('ranking_metrics') }} as {{ name }}
    on {{ name }}.recommender = {{ recommender }}
    and {{ name }}.augmentation = {{ augmentation }}
    and {{ name }}.split = long_form.split
    and {{ name }}.segment = long_form.segment
    and {{ name }}.metric = long_form.metric
    and {{ name }}.k = long_form.k
{% endfor %}
