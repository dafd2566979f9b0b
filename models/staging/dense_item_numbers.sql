-- models/staging/dense_item_numbers.sql: every item, numbered in the order of the ids, with the token that stands for it in prompts and answers.
{{ config(materialized='ephemeral') }}
{%- set spelling = entries('item_ids') | selectattr('name', 'equalto', var('item_ids')) | first | default(none) %}
{%- if spelling is none %}
    {{- exceptions.raise_compiler_error("item_ids is '" ~ var('item_ids') ~ "', and no part of this project spells items so; for semantic, add semantic_ids to parts: in project.yml") }}
{%- endif %}
with numbered as (
    select
        item_id,
        cast(row_number() over (order by item_id) - 1 as integer) as item_number
    from {{ ref('every_item') }}
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
