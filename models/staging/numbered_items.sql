-- models/staging/numbered_items.sql: every item of the log and, unless min_events asks for a core, of the items file. every_item has their ids alone;
-- dense_item_numbers numbers them in the order of the ids, with the token that stands for an item in prompts and answers; trained_item_numbers, with
-- var daily, keeps the numbers and tokens that the language models were trained with.
{{ instances([
    {'items': 'every_item', 'materialized': 'ephemeral', 'frozen': false, 'enabled': true},
    {'items': 'dense_item_numbers', 'materialized': 'ephemeral', 'frozen': false, 'enabled': true},
    {'items': 'trained_item_numbers', 'materialized': 'table', 'frozen': true, 'enabled': var('daily')},
], name='{items}') }}
{{ config(materialized=materialized, frozen=frozen) }}
{%- set spelling = entries('item_ids') | selectattr('name', 'equalto', var('item_ids')) | first | default(none) %}
{%- if spelling is none %}
    {{- exceptions.raise_compiler_error("item_ids is '" ~ var('item_ids') ~ "', and no part of this project spells items so; for semantic, add semantic_ids to parts: in project.yml") }}
{%- endif %}
with ids as (
    select item_id from {{ ref('first_events') }}
    {%- if var('items') and var('min_events') is none %}
    union
    select item_id from {{ ref('log_items') }}
    {%- endif %}
),

distinct_ids as (
    select distinct item_id
    from ids
    where item_id is not null
)
{%- if items == 'every_item' %}

select item_id
from distinct_ids
{%- else %},

numbered as (
    select
        item_id,
        cast(row_number() over (order by item_id) - 1 as integer) as item_number
    from distinct_ids
)
{%- if var('item_ids') == 'title' %},

titled as (
    select
        numbered.item_id,
        numbered.item_number,
        coalesce({{ short_text('coalesce(texts.title, texts.keywords)') }}, cast(numbered.item_id as varchar)) as title
    from numbered
    left join {{ ref('item_texts') }} as texts on texts.item_id = numbered.item_id
)

select
    item_id,
    item_number,
    -- A number stands behind a title that comes again.
    title || case
        when row_number() over same_title > 1 then ' (' || row_number() over same_title || ')'
        else ''
    end as item_token
from titled
window same_title as (partition by title order by item_id)
{%- elif spelling.model %}

-- The tokens of another model, such as code words by meaning.
select
    numbered.item_id,
    numbered.item_number,
    tokens.item_token
from numbered
left join {{ ref(spelling.model) }} as tokens on tokens.item_id = cast(numbered.item_id as varchar)
{%- else %}

select
    item_id,
    item_number,
    {{ item_token() }} as item_token
from numbered
{%- endif %}
{%- endif %}
