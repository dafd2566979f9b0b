-- models/fusion/recommender_trials.sql: the recommenders that var recommender lets the project choose from, each with its recall@10 on the validation
-- targets, without the language model. Place 1 is the best: with recommender auto its index is index_auto, and what the language model adds is added
-- to it. The test part is not looked at.
with ranks as (
    {%- for recommender in candidate_recommenders() %}
    select
        '{{ recommender.name }}' as recommender,
        {{ loop.index }} as listed,
        target_number,
        rank
    from {{ ref('target_ranks_' ~ recommender.name) }}
    where split = 'validation'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

recalls as (
    select
        ranks.recommender,
        ranks.listed,
        count(*) as n_users,
        avg(case when ranks.rank <= 10 then {{ double(1) }} else {{ double(0) }} end) as recall_all,
        avg(case when item_long_tail.is_long_tail then case when ranks.rank <= 10 then {{ double(1) }} else {{ double(0) }} end end) as recall_long_tail
    from ranks
    -- the users that the segment `all` is about.
    inner join {{ ref('targets') }} as targets on targets.target_number = ranks.target_number
    inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = targets.item_number
    where not targets.is_new_user
    group by ranks.recommender, ranks.listed
),

candidates as (
    -- a protocol without validation targets leaves every recommender without a recall: then the first of the list is taken.
    {%- for recommender in candidate_recommenders() %}
    select
        '{{ recommender.name }}' as recommender,
        {{ loop.index }} as listed
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    candidates.recommender,
    cast(row_number() over (order by coalesce(recalls.recall_all, 0) desc, candidates.listed) as integer) as place,
    cast(coalesce(recalls.n_users, 0) as integer) as n_users,
    round(recalls.recall_all, 12) as recall_all,
    round(recalls.recall_long_tail, 12) as recall_long_tail
from candidates
left join recalls on recalls.recommender = candidates.recommender
