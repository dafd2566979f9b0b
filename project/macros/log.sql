{# How the log and the items file are read: names of their columns, the two formats. #}

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

{# Whether an order value is a time at midnight: a date, a timestamp, or seconds, milliseconds or microseconds since 1970 in a plausible century. #}
{% macro is_whole_day(column) -%}
case
    when try_cast(cast({{ column }} as varchar) as bigint) is not null then
        case
            when cast(cast({{ column }} as varchar) as bigint) between 100000000 and 9999999999
                then cast(cast({{ column }} as varchar) as bigint) % 86400 = 0
            when cast(cast({{ column }} as varchar) as bigint) between 100000000000 and 9999999999999
                then cast(cast({{ column }} as varchar) as bigint) % 86400000 = 0
            when cast(cast({{ column }} as varchar) as bigint) >= 100000000000000
                then cast(cast({{ column }} as varchar) as bigint) % 86400000000 = 0
            else false
        end
    else coalesce(
        try_cast(cast({{ column }} as varchar) as timestamp) = date_trunc('day', try_cast(cast({{ column }} as varchar) as timestamp)),
        false
    )
end
{%- endmacro %}

{# The token of an item that is numbered or called by its id; on one line, for a prompt shows a product a line. The number, not the id, stands
   in <i_12>: an id may hold spaces, quotes or anything else. #}
{% macro item_token() -%}
{{ "'<i_' || item_number || '>'" if var('item_ids') == 'token' else "trim(regexp_replace(cast(item_id as varchar), '\\s+', ' ', 'g'))" }}
{%- endmacro %}
