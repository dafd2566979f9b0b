-- models/staging/amazon_items.sql: Amazon's metadata of the items that were reviewed, as it was published: in 2014 as Python literals, with a list of
-- category paths, in 2018 as JSON, with one path. A line that is neither gives no item; a data test counts such lines.
{{ config(enabled=var('log_format') == 'amazon' and var('items') is not none) }}
with records as (
    select
        line,
        nullif(case when json_valid(line) then line else json_line(line) end, '') as record
    from {{ source('amazon', 'metadata') }}
),

paths as (
    select
        line,
        record,
        nullif(json_extract_string(record, '$.asin'), '') as item_id,
        coalesce(
            try_cast(json_extract(record, '$.categories[0]') as varchar[]),
            try_cast(json_extract(record, '$.category') as varchar[])
        ) as path
    from records
)

select
    item_id,
    plain_text(json_extract_string(record, '$.title')) as title,
    plain_text(json_extract_string(record, '$.brand')) as brand,
    plain_text(array_to_string(path, ' > ')) as category_path,
    case when item_id is null then line[1:200] end as malformed_line
from paths
-- The metadata names all products of the shop; without this condition the catalogue would hold those that nobody reviewed, too.
where item_id is null or item_id in (select item_id from {{ ref('amazon_reviews') }})
