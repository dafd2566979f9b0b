-- models/semantic_ids/semantic_items.sql: items and their text before they have ids for prompts: item_numbers itself reads what is made of this.
{{ config(enabled=var('item_ids') == 'semantic') }}
with every_item as (
    select distinct item_id from {{ ref('first_events') }}
    {% if var('items') and var('min_events') is none %}
    union
    select item_id from {{ ref('log_items') }}
    {% endif %}
),

{{ one_text_per_item(ref('first_events')) }}

select
    every_item.item_id,
    cast(row_number() over (order by every_item.item_id) - 1 as integer) as item_number,
    one_per_item.title,
    one_per_item.brand,
    one_per_item.category,
    one_per_item.keywords,
    one_per_item.text
from every_item
left join one_per_item on one_per_item.item_id = every_item.item_id
where every_item.item_id is not null
