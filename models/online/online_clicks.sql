-- models/online/online_clicks.sql: clicks on what was shown, under our names.
{{ config(enabled=var('online_logs') is not none, tags=['online']) }}
select
    req_id as request_id,
    "user" as user_id,
    item as item_id,
    cast(ts as timestamp) as clicked_at,
    cast(ts as date) as day
from {{ source('online', 'clicks') }}
