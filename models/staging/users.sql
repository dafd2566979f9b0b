-- models/staging/users.sql: every user of the log, with a dense number, because joins and pairs of users run on numbers, whatever the ids are; and
-- whether it is a new user, of whom models learn nothing (var new_users; method.md 5.1).
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
    n_interactions,
    {%- if var('new_users') > 0 %}
    -- The first seven hexadecimal digits of a digest are a number below 16^7, which is below the share of that. It follows from the id alone, so a user
    -- stays new or known while the log grows. A log too small for one new user has none.
    substr(md5('{{ var('new_users_seed') }}:' || cast(user_id as varchar)), 1, 7) < '{{ '%07x' % (var('new_users') * 16 ** 7) | int }}'
    and count(*) over () * {{ double(var('new_users')) }} >= 1 as is_new
    {%- else %}
    false as is_new
    {%- endif %}
from every_user
