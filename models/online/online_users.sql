-- models/online/online_users.sql: everybody who came during the test, and in which arm.
select
    user_id,
    min(arm) as arm,
    cast(count(distinct arm) as integer) as n_arms,
    cast(row_number() over (order by user_id) - 1 as integer) as user_number
from {{ ref('online_requests') }}
where {{ in_online_test('day') }}
group by user_id
