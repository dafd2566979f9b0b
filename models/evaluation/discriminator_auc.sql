-- models/evaluation/discriminator_auc.sql: how often a hit among the generated candidates scores above a miss (ties count half): what the
-- discriminator knows that the generator does not. Exact, no sampling.
{% set has_reference = var('gradient_boosting_reference') and var('discriminator') == 'signals' %}
{% set scores = ['confidence', 'log_probability'] + (['gradient_boosting'] if has_reference else []) %}
with judged as (
    {{ judged_candidates() | indent(4) }}
),

scores as (
    select
        judged.split,
        judged.is_long_tail,
        judged.is_hit,
        judged.confidence,
        {% if has_reference %}
        boosted.confidence as gradient_boosting,
        {% endif %}
        judged.log_probability
    from judged
    {% if has_reference %}
    inner join {{ ref('gradient_boosting') }} as boosted
        on boosted.user_number = judged.user_number and boosted.item_number = judged.item_number
    {% endif %}
),
{% for score in scores %}
-- first and last place of a value among its equals: their mean is its rank.
{{ score }}_places as (
    select
        split,
        is_long_tail,
        is_hit,
        rank() over (partition by split order by {{ score }})
            + count(*) over (partition by split order by {{ score }} range unbounded preceding) as places,
        rank() over (partition by split, is_long_tail order by {{ score }})
            + count(*) over (partition by split, is_long_tail order by {{ score }} range unbounded preceding) as segment_places
    from scores
),

{{ score }}_sums as (
    select
        split,
        is_long_tail,
        sum(case when is_hit then places else 0 end) as places,
        sum(case when is_hit then segment_places else 0 end) as segment_places,
        sum(case when is_hit then 1 else 0 end) as n_hits,
        sum(case when is_hit then 0 else 1 end) as n_misses
    from {{ score }}_places
    group by split, is_long_tail
),
{% endfor %}
sums as (
    {% for score in scores %}
    {% if not loop.first %}
    union all
    {% endif %}
    select
        '{{ score }}' as score,
        split,
        'all' as segment,
        sum(places) as places,
        sum(n_hits) as n_hits,
        sum(n_misses) as n_misses
    from {{ score }}_sums
    group by split
    union all
    select
        '{{ score }}' as score,
        split,
        case when is_long_tail then 'long_tail' else 'other' end as segment,
        segment_places as places,
        n_hits,
        n_misses
    from {{ score }}_sums
    {% endfor %}
)

select
    score,
    split,
    segment,
    -- the rank sum of the hits (Mann-Whitney); null without a hit or without a miss.
    round(
        (cast(places as double) - cast(n_hits as double) * (n_hits + 1)) / nullif(2 * cast(n_hits as double) * n_misses, 0),
        12
    ) as auc,
    cast(n_hits as bigint) as n_hits,
    cast(n_misses as bigint) as n_misses
from sums
