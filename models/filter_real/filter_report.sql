-- models/filter_real/filter_report.sql: how many real pairs were dropped, and what kept the others.
select
    decisions.decision,
    cast(count(*) as integer) as n_pairs,
    round(count(*) / cast((select count(*) from {{ ref('filter_decisions') }}) as double), 6) as share,
    cast(sum(case when item_long_tail.is_long_tail then 1 else 0 end) as integer) as n_long_tail,
    round(avg(decisions.confidence), 6) as mean_confidence
from {{ ref('filter_decisions') }} as decisions
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = decisions.item_number
group by decisions.decision
