-- models/online/online_requests.sql: calls of the recommender, under our names.
select
    req_id as request_id,
    "user" as user_id,
    arm,
    cast(ts as timestamp) as requested_at,
    cast(ts as date) as day,
    cast(latency_ms as double) as latency_ms,
    cast(n_retrieved as bigint) as n_retrieved
from {{ source('online', 'requests') }}
