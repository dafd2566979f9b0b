-- models/staging/item_numbers.sql: every item of the log and of the items file, with a dense number and the token that stands for it in prompts.
with every_item as (
    select distinct item_id from {{ ref('log_pairs') }}
    {% if var('items') and var('min_events') is none %}
    union
    select item_id from {{ ref('log_items') }}
    {% endif %}
)
{%- if var('item_ids') == 'title' %},

{{ one_text_per_item(ref('log_pairs')) }},

titles as (
    select
        item_id,
        {{ short_text('coalesce(title, keywords)') }} as title
    from one_per_item
)
{%- endif %}
select
    {{ 'every_item.' if var('item_ids') in ('title', 'semantic') }}item_id,
    cast(row_number() over (order by {{ 'every_item.' if var('item_ids') in ('title', 'semantic') }}item_id) - 1 as integer) as item_number,
    {%- if var('item_ids') == 'token' %}
    -- the number, not the id: an id may hold spaces, quotes or anything else.
    '<i_' || (row_number() over (order by item_id) - 1) || '>' as item_token
    {%- elif var('item_ids') == 'text' %}
    -- one line: a prompt shows a product a line.
    trim(regexp_replace(cast(item_id as varchar), '\s+', ' ', 'g')) as item_token
    {%- elif var('item_ids') == 'title' %}
    -- the id where there is no title; a number behind titles that come again.
    coalesce(titles.title, cast(every_item.item_id as varchar)) || case
        when row_number() over same_title > 1 then ' (' || row_number() over same_title || ')'
        else ''
    end as item_token
    {%- else %}
    semantic_ids.item_token
    {%- endif %}
from every_item
{%- if var('item_ids') == 'title' %}
left join titles on titles.item_id = every_item.item_id
{%- elif var('item_ids') == 'semantic' %}
left join {{ ref('semantic_ids') }} as semantic_ids on semantic_ids.item_id = cast(every_item.item_id as varchar)
{%- endif %}
where {{ 'every_item.' if var('item_ids') in ('title', 'semantic') }}item_id is not null
{%- if var('item_ids') == 'title' %}
window same_title as (partition by coalesce(titles.title, cast(every_item.item_id as varchar)) order by every_item.item_id)
{%- endif %}
