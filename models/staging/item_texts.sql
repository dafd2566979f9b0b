-- models/staging/item_texts.sql: the text of each item of the items file, one row an item, as varchar, whichever of the text columns the file has.
{{ config(materialized='ephemeral') }}
with item_text as (
    -- The empty row names the columns that we read: those that the file lacks come out null.
    select
        null::varchar as title,
        null::varchar as brand,
        null::varchar as category,
        null::varchar as category_path,
        null::varchar as keywords,
        null::varchar as text
    where false
    union all by name
    {%- if var('items') %}
    select * from {{ ref('log_items') }}
    {%- else %}
    -- Without an items file: no row, and ids of the log's type.
    select item_id from {{ ref('first_events') }} where false
    {%- endif %}
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
)

-- Where a file repeats an item, its fullest row counts; among equally full ones the first by the order of the texts, the same on every run.
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
    order by
        case when title is null then 0 else 1 end
        + case when brand is null then 0 else 1 end
        + case when category is null then 0 else 1 end
        + case when keywords is null then 0 else 1 end
        + case when text is null then 0 else 1 end desc,
        title nulls last, brand nulls last, category nulls last, keywords nulls last, text nulls last
) = 1
