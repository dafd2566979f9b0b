-- models/staging/items.sql: every item with its text, as varchar, whichever of the text columns the items file has.
with {{ one_text_per_item(ref('item_numbers')) }}

select
    item_numbers.item_id,
    item_numbers.item_number,
    item_numbers.item_token,
    one_per_item.title,
    one_per_item.brand,
    one_per_item.category,
    one_per_item.keywords,
    coalesce(
        nullif(concat_ws(
            ' | ',
            coalesce(one_per_item.title, one_per_item.keywords),
            one_per_item.brand,
            one_per_item.category
        ), ''),
        one_per_item.text,
        cast(item_numbers.item_id as varchar)
    ) as text,
    item_long_tail.n_interactions,
    item_long_tail.is_long_tail
from {{ ref('item_numbers') }} as item_numbers
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = item_numbers.item_number
left join one_per_item on one_per_item.item_id = item_numbers.item_id
