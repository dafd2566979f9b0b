{# How the log and the items file are read: names of their columns, the two formats. #}

{# The relation that holds the log: as it is, or read from raw Amazon review lines. #}
{% macro log_relation() -%}
{{ ref('amazon_reviews') if var('log_format') == 'amazon' else source('log', 'interactions') }}
{%- endmacro %}

{# The same for the items file. #}
{% macro item_relation() -%}
{{ ref('amazon_items') if var('log_format') == 'amazon' else source('log', 'items') }}
{%- endmacro %}

{# What the items file calls one of our columns; item_id is called as in the log unless item_columns says otherwise. #}
{% macro items_file_column(name) -%}
{%- set known = ['item_id', 'title', 'brand', 'category', 'category_path', 'keywords', 'text'] -%}
{%- for ours in var('item_columns') -%}
    {%- if ours not in known -%}
        {{ exceptions.raise_compiler_error("var item_columns names '" ~ ours ~ "', which is none of " ~ known | join(', ') ~ "; write {ours: theirs}, such as {title: product_name}") }}
    {%- endif -%}
{%- endfor -%}
{{- var('item_columns').get(name, var('item_column') if name == 'item_id' and var('log_format') == 'columns' else name) -}}
{%- endmacro %}

{# A column name of somebody else's file, as SQL. #}
{% macro quoted(column) -%}
"{{ column | replace('"', '""') }}"
{%- endmacro %}
