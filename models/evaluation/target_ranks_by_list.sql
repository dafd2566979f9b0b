-- models/evaluation/target_ranks_by_list.sql: where the ranked lists of an arm without an index have each target, null where it is not listed.
{{ instances(entries('arms') | selectattr('is_ranked') | selectattr('lists') | list, name='target_ranks_{arm}') }}
with lists as (
    select
        listed.target_number,
        listed.item_number,
        row_number() over (partition by listed.target_number order by listed.rank) as rank
    from (select {{ list_key }} as target_number, item_number, rank from {{ ref(lists) }}) as listed
    {{ join_competitors('listed') }}
)

select
    {{ recommender_name(recommender) }} as recommender,
    '{{ augmentation }}' as augmentation,
    targets.user_id,
    targets.split,
    targets.item_id,
    long_tail.is_long_tail,
    targets.is_new_user,
    targets.is_new_item,
    cast(lists.rank as integer) as rank,
    targets.target_number
from {{ ref('targets') }} as targets
inner join {{ ref('evaluation_long_tail') }} as long_tail on long_tail.item_number = targets.item_number
left join lists on lists.target_number = targets.target_number and lists.item_number = targets.item_number
