-- models/semantic_ids/semantic_items.sql: every item with its text before it has a token, which is made of this.
select
    every_item.item_id,
    cast(row_number() over (order by every_item.item_id) - 1 as integer) as item_number,
    texts.title,
    texts.brand,
    texts.category,
    texts.keywords,
    texts.text
from {{ ref('every_item') }} as every_item
left join {{ ref('item_texts') }} as texts on texts.item_id = every_item.item_id
