-- models/evidence/discriminator_calibration.sql: whether confidence means what it says: by tenths of the scored candidates, mean confidence and share of hits.
with tenths as (
    select
        split,
        -- the ids break ties, so a rerun cuts at the same place.
        ntile(10) over (partition by split order by confidence, user_number, item_number) as decile,
        confidence,
        case when is_hit then {{ double(1) }} else {{ double(0) }} end as hit
    from {{ ref('judged_candidates') }}
),

bins as (
    select
        split,
        decile,
        count(*) as n_candidates,
        min(confidence) as lowest,
        max(confidence) as highest,
        avg(confidence) as mean_confidence,
        avg(hit) as share_of_hits,
        sum((confidence - hit) * (confidence - hit)) as squared_errors
    from tenths
    group by split, decile
)

select
    split,
    cast(decile as integer) as decile,
    cast(n_candidates as integer) as n_candidates,
    lowest,
    highest,
    round(mean_confidence, 12) as mean_confidence,
    round(share_of_hits, 12) as share_of_hits,
    round(sum(n_candidates * abs(mean_confidence - share_of_hits)) over (partition by split) / sum(n_candidates) over (partition by split), 12)
        as expected_calibration_error,
    round(sum(squared_errors) over (partition by split) / sum(n_candidates) over (partition by split), 12) as brier_score
from bins
