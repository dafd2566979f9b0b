-- models/online/online_log.sql: the log of the recommender under the names that the other models use: online_requests, online_exposures and online_clicks.
{{ instances([{'table': 'requests'}, {'table': 'exposures'}, {'table': 'clicks'}], name='online_{table}') }}
{% if table == 'requests' %}
-- A row is a call of the recommender.
select
    req_id as request_id,
    "user" as user_id,
    arm,
    cast(ts as timestamp) as requested_at,
    cast(ts as date) as day,
    cast(latency_ms as double) as latency_ms,
    cast(n_retrieved as bigint) as n_retrieved
from {{ source('online', 'requests') }}
{% elif table == 'exposures' %}
-- A row is an item that was shown.
select
    req_id as request_id,
    "user" as user_id,
    item as item_id,
    cast(pos as integer) as position,
    cast(ts as timestamp) as exposed_at,
    cast(ts as date) as day
from {{ source('online', 'exposures') }}
{% else %}
-- A row is a click on an item that was shown.
select
    req_id as request_id,
    "user" as user_id,
    item as item_id,
    cast(ts as timestamp) as clicked_at,
    cast(ts as date) as day
from {{ source('online', 'clicks') }}
{% endif %}
