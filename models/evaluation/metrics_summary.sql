-- models/evaluation/metrics_summary.sql: one row an arm: recall@10 and NDCG@10 on the test split by segment, and the lift of its recall over the
-- same recommender without augmentation.
with at_ten as (
    select
        recommender,
        augmentation,
        max(case when metric = 'recall' and segment = 'all' then value end) as recall_all,
        max(case when metric = 'recall' and segment = 'long_tail' then value end) as recall_long_tail,
        {% if var('near_column', none) %}
        max(case when metric = 'recall' and segment = 'all_without_near' then value end) as recall_all_without_near,
        max(case when metric = 'recall' and segment = 'long_tail_without_near' then value end) as recall_long_tail_without_near,
        {% endif %}
        max(case when metric = 'ndcg' and segment = 'all' then value end) as ndcg_all,
        protocol
    from {{ ref('ranking_metrics') }}
    where k = 10 and split = 'test'
    group by recommender, augmentation, protocol
)
select
    arm.recommender,
    arm.augmentation,
    round(arm.recall_all, 4) as recall_all,
    round(arm.recall_long_tail, 4) as recall_long_tail,
    round(arm.ndcg_all, 4) as ndcg_all,
    {% if var('near_column', none) %}
    round(arm.recall_all_without_near, 4) as recall_all_without_near,
    round(arm.recall_long_tail_without_near, 4) as recall_long_tail_without_near,
    {% endif %}
    -- 0.1 = ten percent more; null for the arm itself and where there is nothing to divide by.
    case when arm.augmentation <> 'none' then round(arm.recall_all / nullif(plain.recall_all, 0) - 1, 3) end as lift_all,
    case
        when arm.augmentation <> 'none' then round(arm.recall_long_tail / nullif(plain.recall_long_tail, 0) - 1, 3)
    end as lift_long_tail,
    arm.protocol
from at_ten as arm
left join at_ten as plain on plain.recommender = arm.recommender and plain.augmentation = 'none' and plain.protocol = arm.protocol
order by arm.recall_all desc, arm.recommender, arm.augmentation
