-- models/staging/log_items.sql: the items file under our column names, with whatever else it holds.
{{ config(enabled=var('items') is not none) }}
{%- set mapped = ['item_id'] -%}
{%- for ours in var('item_columns') if ours != 'item_id' %}{% do mapped.append(ours) %}{% endfor %}
select
    {%- for ours in mapped %}
    {{ quoted(items_file_column(ours)) }} as {{ ours }},
    {%- endfor %}
    columns(
        lambda name: lower(name) not in (
            {%- for ours in mapped %}{{ quote_literal(ours) }}, lower({{ quote_literal(items_file_column(ours)) }}){{ ', ' if not loop.last }}{% endfor -%}
        )
    )
-- With the extra column even a file of ids alone leaves a column to choose.
from (select *, true as in_items_file from {{ ref('amazon_items') if var('log_format') == 'amazon' else source('log', 'items') }}) as items_file
{%- if var('log_format') == 'amazon' %}
where malformed_line is null
{%- endif %}
