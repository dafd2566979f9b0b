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

{# The chance that a hit scores above a miss, for each of `scores`, columns of the relation `judged` (split, is_long_tail, is_hit), ties count half
   (Mann-Whitney). Exact, no sampling: each value once, with the misses below it. #}
{% macro hit_or_miss_auc(judged, scores) -%}
{% set parts = {'long_tail': 'judged.is_long_tail', 'other': 'not judged.is_long_tail'} -%}
with judged as (
    select * from {{ judged }}
),

-- hits and misses of each value, of targets in the long tail and of others.
counts as (
    select
        ['{{ scores | join("', '") }}'][places.place] as score,
        judged.split,
        [judged.{{ scores | join(', judged.') }}][places.place] as value,
        {% for part, is_part in parts.items() %}
        sum(case when judged.is_hit and {{ is_part }} then 1 else 0 end) as hits_{{ part }},
        sum(case when not judged.is_hit and {{ is_part }} then 1 else 0 end) as misses_{{ part }}{{ ',' if not loop.last }}
        {% endfor %}
    from judged
    cross join (select unnest(range(1, {{ 1 + scores | length }})) as place) as places
    group by places.place, judged.split, value
),

-- two for each miss below the value, one for each miss that has it.
beaten as (
    select
        *,
        {% for part in parts %}
        2 * sum(misses_{{ part }}) over (partition by score, split order by value rows unbounded preceding) - misses_{{ part }} as beaten_{{ part }}{{ ',' if not loop.last }}
        {% endfor %}
    from counts
),

sums as (
    select
        score,
        split,
        {% for part in parts %}
        sum(hits_{{ part }}) as hits_{{ part }},
        sum(misses_{{ part }}) as misses_{{ part }},
        sum(hits_{{ part }} * beaten_{{ part }}) as wins_{{ part }},
        {% endfor %}
        sum((hits_long_tail + hits_other) * (beaten_long_tail + beaten_other)) as wins
    from beaten
    group by score, split
),

segments as (
    select score, split, 'all' as segment, wins, hits_long_tail + hits_other as n_hits, misses_long_tail + misses_other as n_misses from sums
    {% for part in parts %}
    union all
    select score, split, '{{ part }}' as segment, wins_{{ part }} as wins, hits_{{ part }} as n_hits, misses_{{ part }} as n_misses from sums
    {% endfor %}
)

select
    score,
    split,
    segment,
    -- null without a hit or without a miss.
    round(cast(wins as double) / nullif(2 * cast(n_hits as double) * n_misses, 0), 12) as auc,
    cast(n_hits as bigint) as n_hits,
    cast(n_misses as bigint) as n_misses
from segments
where n_hits + n_misses > 0
{%- endmacro %}
