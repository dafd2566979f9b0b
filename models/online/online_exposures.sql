-- models/online/online_exposures.sql: items that were shown, under our names.
select
    req_id as request_id,
    "user" as user_id,
    item as item_id,
    cast(pos as integer) as position,
    cast(ts as timestamp) as exposed_at,
    cast(ts as date) as day
from {{ source('online', 'exposures') }}
