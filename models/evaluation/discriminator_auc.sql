-- models/evaluation/discriminator_auc.sql: how often a hit among the generated candidates scores above a miss (ties count half): what the
-- discriminator knows that the generator does not. Exact: counts of misses below each value, no sampling.
{% set has_reference = var('gradient_boosting_reference') and var('discriminator') == 'signals' %}
{% set segments = {'all': 'true', 'long_tail': 'is_long_tail', 'other': 'not is_long_tail'} %}
with judged as (
    {{ judged_candidates() | indent(4) }}
),

scores as (
    select split, is_long_tail, is_hit, 'confidence' as score, confidence as value from judged
    union all
    select split, is_long_tail, is_hit, 'log_probability' as score, log_probability as value from judged
    {% if has_reference %}
    union all
    select
        judged.split,
        judged.is_long_tail,
        judged.is_hit,
        'gradient_boosting' as score,
        boosted.confidence as value
    from judged
    inner join {{ ref('gradient_boosting') }} as boosted
        on boosted.user_number = judged.user_number and boosted.item_number = judged.item_number
    {% endif %}
),

counts as (
    select
        score,
        split,
        is_long_tail,
        value,
        sum(case when is_hit then 1 else 0 end) as hits,
        sum(case when is_hit then 0 else 1 end) as misses
    from scores
    group by score, split, is_long_tail, value
),

segmented as (
    {% for segment, condition in segments.items() %}
    {% if not loop.first %}
    union all
    {% endif %}
    select
        score,
        split,
        '{{ segment }}' as segment,
        value,
        sum(hits) as hits,
        sum(misses) as misses
    from counts
    where {{ condition }}
    group by score, split, value
    {% endfor %}
),

ranked as (
    select
        score,
        split,
        segment,
        hits,
        misses,
        sum(misses) over (partition by score, split, segment order by value rows unbounded preceding) - misses as misses_below
    from segmented
)

select
    score,
    split,
    segment,
    -- null without a hit or without a miss.
    round(sum(cast(hits as double) * (2 * misses_below + misses)) / nullif(2 * cast(sum(hits) as double) * sum(misses), 0), 12) as auc,
    cast(sum(hits) as bigint) as n_hits,
    cast(sum(misses) as bigint) as n_misses
from ranked
group by score, split, segment
