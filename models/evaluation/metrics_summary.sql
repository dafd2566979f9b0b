-- models/evaluation/metrics_summary.sql: one row an arm: recall@10 and NDCG@10 on the test split by segment, and the lift of its recall over the best
-- arm without augmentation, the one that the validation split puts first.
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
),

best as (
    select
        at_ten.recommender,
        at_ten.augmentation,
        at_ten.recall_all,
        at_ten.recall_long_tail
    from at_ten
    inner join {{ ref('best_arm') }} as best_arm on best_arm.recommender = at_ten.recommender
    where at_ten.augmentation = 'none'
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
    -- 0.1 = ten percent more; null for the best arm itself and where there is nothing to divide by.
    case when arm.recommender <> best.recommender or arm.augmentation <> 'none' then round(arm.recall_all / nullif(best.recall_all, 0) - 1, 3) end as lift_all,
    case when arm.recommender <> best.recommender or arm.augmentation <> 'none' then round(arm.recall_long_tail / nullif(best.recall_long_tail, 0) - 1, 3) end as lift_long_tail,
    arm.protocol
from at_ten as arm
left join best on true
order by arm.recall_all desc, arm.recommender, arm.augmentation
