-- models/staging/users.sql: every user of the log, with a dense number, because joins and pairs of users run on numbers, whatever the ids are.
with every_user as (
    select
        user_id,
        count(*) as n_interactions
    from {{ ref('first_events') }}
    group by user_id
)
select
    user_id,
    cast(row_number() over (order by user_id) - 1 as integer) as user_number,
    n_interactions
from every_user
