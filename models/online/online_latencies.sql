-- models/online/online_latencies.sql: the latency of each request of the test, once under its day and once under all days.
{{ config(materialized='ephemeral') }}
with requests as (
    select
        cast(requests.day as varchar) as day,
        requests.user_id,
        users.arm,
        requests.latency_ms
    from {{ ref('online_requests') }} as requests
    inner join {{ ref('online_users') }} as users on users.user_id = requests.user_id
    where users.n_arms = 1 and {{ in_online_test('requests.day') }}
)

select
    day,
    user_id,
    arm,
    latency_ms
from requests
union all
select
    'all' as day,
    user_id,
    arm,
    latency_ms
from requests
