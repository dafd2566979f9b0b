-- models/evaluation/ranking_metrics.sql: recall and NDCG at k of every arm, over all users and by segment of the target (method.md 4.1).
with segments as (
    {% for segment in entries('segments') if segment.enabled %}
    select
        recommender,
        augmentation,
        split,
        '{{ segment.name }}' as segment,
        rank
    from {{ ref('target_ranks_all') }}
    where {{ segment.condition }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

cutoffs as (
    select unnest([5, 10, 20, 50, 100, 200]) as k
),

-- one target per user: a user whose target has no rank counts as 0, never drops out of the mean.
sums as (
    select
        segments.recommender,
        segments.augmentation,
        segments.segment,
        segments.split,
        cutoffs.k,
        sum(case when segments.rank <= cutoffs.k then 1 else 0 end) as hits,
        sum(case when segments.rank <= cutoffs.k then 1 / log2(cast(segments.rank + 1 as double)) else 0 end) as gain,
        count(*) as n_users
    from segments
    cross join cutoffs
    group by segments.recommender, segments.augmentation, segments.segment, segments.split, cutoffs.k
),

metrics as (
    select recommender, augmentation, segment, split, 'recall' as metric, k, hits / cast(n_users as double) as value, n_users from sums
    union all
    select recommender, augmentation, segment, split, 'ndcg' as metric, k, gain / n_users as value, n_users from sums
)

select
    recommender,
    augmentation,
    segment,
    split,
    metric,
    cast(k as integer) as k,
    -- sums of doubles differ in the last bits from run to run.
    round(value, 12) as value,
    cast(n_users as integer) as n_users,
    {{ protocol_label() }} as protocol,
    '{{ var('evaluation_long_tail_rule') }} on {{ var('evaluation_long_tail_counts') }} counts' as long_tail
from metrics
