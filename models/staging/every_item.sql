-- models/staging/every_item.sql: the id of every item of the log and, unless min_events asks for a core, of the items file.
{{ config(materialized='ephemeral') }}
with ids as (
    select item_id from {{ ref('first_events') }}
    {%- if var('items') and var('min_events') is none %}
    union
    select item_id from {{ ref('log_items') }}
    {%- endif %}
)

select distinct item_id
from ids
where item_id is not null
