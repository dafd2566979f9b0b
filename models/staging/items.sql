-- models/staging/items.sql: every item with its text, as varchar, whichever of the text columns the items file has.
with item_text as (
    -- the empty row names the columns we read: those the file lacks come out null.
    select
        null::varchar as title,
        null::varchar as brand,
        null::varchar as category,
        null::varchar as category_path,
        null::varchar as keywords,
        null::varchar as text
    where false
    {% if var('items') %}
    union all by name
    select * from {{ source('log', 'items') }}
    {% else %}
    union all by name
    select item_id from {{ ref('item_numbers') }} where false
    {% endif %}
),

cleaned as (
    select
        item_id,
        nullif(trim(cast(title as varchar)), '') as title,
        nullif(trim(cast(brand as varchar)), '') as brand,
        nullif(trim(coalesce(cast(category_path as varchar), cast(category as varchar))), '') as category,
        nullif(trim(cast(keywords as varchar)), '') as keywords,
        nullif(trim(cast(text as varchar)), '') as text
    from item_text
),

one_per_item as (
    -- a file that repeats an item: the first text by its own order, the same on every run.
    select
        item_id,
        title,
        brand,
        category,
        keywords,
        text
    from cleaned
    qualify row_number() over (
        partition by item_id
        order by title nulls last, brand nulls last, category nulls last, keywords nulls last, text nulls last
    ) = 1
)

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
