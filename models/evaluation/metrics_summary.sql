-- models/evaluation/metrics_summary.sql: recall@10 and NDCG@10 of every arm on the test split, and the lift over the same recommender without augmentation.
with at_ten as (
    select
        recommender,
        augmentation,
        segment,
        max(case when metric = 'recall' then value end) as recall_at_10,
        max(case when metric = 'ndcg' then value end) as ndcg_at_10,
        max(n_users) as n_users
    from {{ ref('ranking_metrics') }}
    where k = 10 and split = 'test'
    group by recommender, augmentation, segment
)
select
    arm.recommender,
    arm.augmentation,
    arm.segment,
    round(arm.recall_at_10, 4) as recall_at_10,
    round(arm.ndcg_at_10, 4) as ndcg_at_10,
    -- 0.1 = ten percent more; null for the arm itself and where there is nothing to divide by.
    case when arm.augmentation <> 'none' then round(arm.recall_at_10 / nullif(plain.recall_at_10, 0) - 1, 4) end as recall_uplift,
    case when arm.augmentation <> 'none' then round(arm.ndcg_at_10 / nullif(plain.ndcg_at_10, 0) - 1, 4) end as ndcg_uplift,
    arm.n_users
from at_ten as arm
left join at_ten as plain
    on plain.recommender = arm.recommender
    and plain.segment = arm.segment
    and plain.augmentation = 'none'
