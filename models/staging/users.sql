-- models/staging/users.sql: every user of the log, with a dense number (joins and pairs of users run on numbers, whatever the ids are).
with every_user as (
    select
        user_id,
        count(distinct item_id) as n_interactions
    from {{ source('log', 'interactions') }}
    where user_id is not null
    group by user_id
)
select
    user_id,
    cast(row_number() over (order by user_id) - 1 as integer) as user_number,
    n_interactions
from every_user
