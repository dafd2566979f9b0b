-- models/staging/item_numbers.sql: every item of the log and of the items file, with a dense number and the token that stands for it in prompts.
with every_item as (
    select distinct item_id from {{ source('log', 'interactions') }}
    {% if var('items') %}
    union
    select item_id from {{ source('log', 'items') }}
    {% endif %}
)
select
    item_id,
    cast(row_number() over (order by item_id) - 1 as integer) as item_number,
    -- the number, not the id: an id may hold spaces, quotes or anything else.
    '<i_' || (row_number() over (order by item_id) - 1) || '>' as item_token
from every_item
where item_id is not null
