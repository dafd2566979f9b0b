-- models/evidence/target_neighbourhood.sql: the targets that lie beside the user's item before, in the order of the items' `near_column`. Where a
-- log's position was made with ties in the order of ids, part of what is learnt is that order (method.md 5.4): report figures without these targets too.
{{ config(enabled=var('near_column') is not none) }}
{% if var('near_column') and not var('items') %}
    {{ exceptions.raise_compiler_error("var near_column names a column of the items file, but var items is null; set items, or near_column to null") }}
{% endif %}

with item_order as (
    select
        item_numbers.item_number,
        row_number() over (order by min(items."{{ var('near_column') }}"), item_numbers.item_number) as place
    from {{ ref('log_items') }} as items
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_id = items.item_id
    group by item_numbers.item_number
    having min(items."{{ var('near_column') }}") is not null
)

select
    targets.user_id,
    targets.split,
    targets.item_id,
    previous.item_id as previous_item_id,
    -- how many places the target lies above the item before; null where an item has no place.
    item_order.place - previous_order.place as steps,
    coalesce(abs(item_order.place - previous_order.place) <= {{ var('near_ranks') }}, false) as is_near,
    targets.target_number
from {{ ref('targets') }} as targets
inner join {{ ref('interactions') }} as previous
    on previous.user_number = targets.user_number and previous.position = targets.position - 1
left join item_order on item_order.item_number = targets.item_number
left join item_order as previous_order on previous_order.item_number = previous.item_number
