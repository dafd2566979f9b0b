-- models/staging/log_items.sql: the items file under our column names, with whatever else it holds.
{{ config(enabled=var('items') is not none) }}
{%- set mapped = ['item_id'] -%}
{%- for ours in var('item_columns') if ours != 'item_id' %}{% do mapped.append(ours) %}{% endfor %}
select
    {%- for ours in mapped %}
    {%- if ours == 'item_id' and var('log_format') in ['otto', 'sequences'] %}
    -- The ids of these logs are not typed with those of the items file.
    cast({{ quoted(items_file_column(ours)) }} as {{ 'varchar' if var('log_format') == 'sequences' else 'bigint' }}) as {{ ours }},
    {%- else %}
    {{ quoted(items_file_column(ours)) }} as {{ ours }},
    {%- endif %}
    {%- endfor %}
    columns(
        lambda name: lower(name) not in (
            {%- for ours in mapped %}{{ quote_literal(ours) }}, lower({{ quote_literal(items_file_column(ours)) }}){{ ', ' if not loop.last }}{% endfor -%}
        )
    )
-- With the extra column even a file of ids alone leaves a column to choose.
from (select *, true as in_items_file from {{ ref(published_format('items')) if published_format('items') else source('log', 'items') }}) as items_file
{%- if var('log_format') == 'amazon' %}
where malformed_line is null
{%- endif %}
