-- models/staging/item_numbers.sql: every item of the log and of the items file, with a dense number and the token that stands for it in prompts.
{%- if not var('daily') %}
select
    item_id,
    item_number,
    item_token
from {{ ref('dense_item_numbers') }}
{%- else %}
-- daily: a checkpoint knows items by their tokens, so those that it was trained with keep theirs; new ones, which it does not know, come behind them.
with trained as (
    select
        item_id,
        item_number,
        item_token,
        max(item_number) over () as last_number
    from {{ ref('trained_item_numbers') }}
),

new_items as (
    select
        every_item.item_id,
        cast((select max(last_number) from trained) + row_number() over (order by every_item.item_id) as integer) as item_number
    from {{ ref('every_item') }} as every_item
    left join trained on trained.item_id = every_item.item_id
    where trained.item_id is null
)

select
    item_id,
    item_number,
    item_token
from trained
union all
select
    item_id,
    item_number,
    {{ item_token() }} as item_token
from new_items
{%- endif %}
