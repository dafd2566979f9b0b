-- models/staging/items.sql: every item with its text, as varchar, whichever of the text columns the items file has.
select
    item_numbers.item_id,
    item_numbers.item_number,
    item_numbers.item_token,
    texts.title,
    texts.brand,
    texts.category,
    texts.keywords,
    coalesce(
        nullif(concat_ws(
            ' | ',
            coalesce(texts.title, texts.keywords),
            texts.brand,
            texts.category
        ), ''),
        texts.text,
        cast(item_numbers.item_id as varchar)
    ) as text,
    item_long_tail.n_interactions,
    item_long_tail.is_long_tail
from {{ ref('item_numbers') }} as item_numbers
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = item_numbers.item_number
left join {{ ref('item_texts') }} as texts on texts.item_id = item_numbers.item_id
