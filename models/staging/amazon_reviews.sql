-- models/staging/amazon_reviews.sql: Amazon's reviews as they were published in 2014 and 2018 (reviewerID, asin, unixReviewTime, overall), one on a
-- line, as JSON or a Python literal. A line that is neither gives a row without user, item and time, which log_events counts.
{{ config(enabled=var('log_format') == 'amazon', partition_by='file' if var('log_partitions') else none) }}
with records as (
    select
        line,
        -- The function is called only for what is not JSON.
        nullif(case when json_valid(line) then line else json_line(line) end, '') as record
    from {{ source('amazon', 'reviews') }}
)

select
    nullif(json_extract_string(record, '$.reviewerID'), '') as user_id,
    nullif(json_extract_string(record, '$.asin'), '') as item_id,
    -- Seconds since 1970, of whole days (see log_report).
    try_cast(json_extract_string(record, '$.unixReviewTime') as bigint) as timestamp,
    try_cast(json_extract_string(record, '$.overall') as double) as rating,
    case when record is null then line[1:200] end as malformed_line
from records
