-- models/evidence/hit_or_miss_auc.sql: how often a hit scores above a miss, ties count half (Mann-Whitney; method.md 4.1): what a discriminator
-- knows, beside what it was told. Exact, no sampling: each value once, with the misses below it.
{{ instances(
    [
        {
            'table': 'discriminator_auc',
            'judged': 'judged_candidates',
            'scores': ['confidence', 'log_probability'] + (['gradient_boosting'] if var('gradient_boosting_reference') and var('discriminator') == 'signals' else []),
            'enabled': true,
        },
        {
            'table': 'item_pair_auc',
            'judged': 'judged_targets',
            'scores': ['confidence', 'embedding_cosine', 'cosine'],
            'enabled': var('discriminator') == 'signals' and var('fusion') == 'distil',
        },
    ],
    name='{table}'
) }}
{% set parts = {'long_tail': 'judged.is_long_tail', 'other': 'not judged.is_long_tail'} %}
-- hits and misses of each value, of targets in the long tail and of others.
with counts as (
    select
        ['{{ scores | join("', '") }}'][places.place] as score,
        judged.split,
        [judged.{{ scores | join(', judged.') }}][places.place] as value,
        {% for part, is_part in parts.items() %}
        sum(case when judged.is_hit and {{ is_part }} then 1 else 0 end) as hits_{{ part }},
        sum(case when not judged.is_hit and {{ is_part }} then 1 else 0 end) as misses_{{ part }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref(judged) }} as judged
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
