-- models/online/online_clicks.sql: clicks on what was shown, under our names.
select
    req_id as request_id,
    "user" as user_id,
    item as item_id,
    cast(ts as timestamp) as clicked_at,
    cast(ts as date) as day
from {{ source('online', 'clicks') }}
