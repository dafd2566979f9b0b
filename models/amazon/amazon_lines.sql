-- models/amazon/amazon_lines.sql: with log_format amazon, what was published of Amazon in 2014, 2018 and 2023, out of its raw lines, each JSON or a Python literal:
-- the reviews (amazon_reviews), and the metadata of the items that were reviewed (amazon_items).
{{ instances([
    {'records': 'amazon_reviews', 'lines': 'reviews', 'enabled': var('log_format') == 'amazon'},
    {'records': 'amazon_items', 'lines': 'metadata', 'enabled': var('log_format') == 'amazon' and var('items') is not none},
], name='{records}') }}
{{ config(partition_by='file' if lines == 'reviews' and var('log_partitions') else none) }}
with records as (
    select
        line,
        -- The function is called only for what is not JSON.
        nullif(case when json_valid(line) then line else json_line(line) end, '') as record
    from {{ source('amazon', lines) }}
)
{%- if lines == 'reviews' %}

-- reviewerID, asin, unixReviewTime and overall; in 2023 user_id, parent_asin, timestamp and rating. A line that cannot be read gives a row without user, item and time, which log_events counts.
select
    nullif(coalesce(json_extract_string(record, '$.reviewerID'), json_extract_string(record, '$.user_id')), '') as user_id,
    -- The variants of an item of 2023 have one parent, which its metadata is of.
    nullif(coalesce(json_extract_string(record, '$.parent_asin'), json_extract_string(record, '$.asin')), '') as item_id,
    -- Seconds since 1970, of whole days (see log_report); in 2023 milliseconds.
    try_cast(coalesce(json_extract_string(record, '$.unixReviewTime'), json_extract_string(record, '$.timestamp')) as bigint) as timestamp,
    try_cast(coalesce(json_extract_string(record, '$.overall'), json_extract_string(record, '$.rating')) as double) as rating,
    case when record is null then line[1:200] end as malformed_line
from records
{%- else %},

-- The files of 2014 have a list of category paths, those of 2018 and 2023 one path. A line that cannot be read gives no item; a data test counts such lines.
paths as (
    select
        line,
        record,
        nullif(coalesce(json_extract_string(record, '$.parent_asin'), json_extract_string(record, '$.asin')), '') as item_id,
        coalesce(
            try_cast(json_extract(record, '$.categories[0]') as varchar[]),
            try_cast(json_extract(record, '$.categories') as varchar[]),
            try_cast(json_extract(record, '$.category') as varchar[])
        ) as path
    from records
)

select
    item_id,
    plain_text(json_extract_string(record, '$.title')) as title,
    plain_text(coalesce(json_extract_string(record, '$.brand'), json_extract_string(record, '$.store'))) as brand,
    plain_text(array_to_string(path, ' > ')) as category_path,
    case when item_id is null then line[1:200] end as malformed_line
from paths
-- The metadata names all products of the shop; without this condition the catalogue would hold those that nobody reviewed, too.
where item_id is null or item_id in (select item_id from {{ ref('amazon_reviews') }})
{%- endif %}
