{# Every scored candidate of a user with a target, once per split: a hit if it is the target. Candidates come from the train part alone. #}
{% macro judged_candidates() -%}
select
    targets.split,
    target_items.is_long_tail,
    scored.item_number = targets.item_number as is_hit,
    scored.confidence,
    scored.log_probability,
    scored.user_number,
    scored.item_number
from {{ ref('scored_interactions') }} as scored
inner join {{ ref('targets') }} as targets on targets.user_number = scored.user_number
inner join {{ ref('item_long_tail') }} as target_items on target_items.item_number = targets.item_number
{%- endmacro %}

{# The scored candidates, under confidence_scale quantile with the share of all of them that have a smaller margin, in [0, 1): comparable between
   models whose confidences are not (method.md 2.6). #}
{% macro scaled_confidences(scored) -%}
{%- if var('confidence_scale') == 'quantile' -%}
(
    select
        *,
        (rank() over (order by {{ rounded('margin') }}) - 1) / cast(count(*) over () as double) as confidence_quantile
    from {{ scored }}
) as scaled
{%- else -%}
{{ scored }}
{%- endif -%}
{%- endmacro %}

{# The chance that a hit scores above a miss, for each of `scores`, columns of the relation `judged` (split, is_long_tail, is_hit): the rank sum of the
   hits (Mann-Whitney), ties count half. Exact, no sampling. #}
{% macro hit_or_miss_auc(judged, scores) -%}
with scores as (
    select
        split,
        is_long_tail,
        is_hit
        {%- for score in scores %},
        {{ score }}
        {%- endfor %}
    from {{ judged }}
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
{%- endmacro %}
