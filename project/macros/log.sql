{# How the log and the items file are read: names of their columns, the two formats. #}

{# The model that reads the `events` or the `items` of the var log_format; none where its files are read as they are. #}
{% macro published_format(what) -%}
{%- do return((entries('log_formats') | selectattr('name', 'equalto', var('log_format')) | first)[what]) -%}
{%- endmacro %}

{# The column of a log as it is published that holds the ids: `user` or `item` of its events, `item_of_items`; empty text where no column does. The
   vars user_column and item_column may call them otherwise, as some copies do. #}
{% macro published_column(what) -%}
{%- set given = {'user': var('user_column'), 'item': var('item_column'), 'item_of_items': 'item_id'}[what] -%}
{%- do return(given if given not in ['user_id', 'item_id'] and var('log_format') == 'online_retail' else (published_format(what) or '')) -%}
{%- endmacro %}

{# How the text files of a log as it is published are written, by the end of their name; `what` is events or items. #}
{% macro published_reading(what, setting) -%}
{%- set path = (var('interactions') if what == 'events' else var('items')) | default('', true) | string -%}
{%- set written = {
    'movielens events': {
        '.dat': {'delimiter': '::', 'names': ['userId', 'movieId', 'rating', 'timestamp']},
        '.data': {'delimiter': '\t', 'names': ['userId', 'movieId', 'rating', 'timestamp']},
    },
    'movielens items': {
        '.dat': {'delimiter': '::', 'encoding': 'latin-1', 'quote': '', 'names': ['movieId', 'title', 'genres']},
        '.item': {'delimiter': '|', 'encoding': 'latin-1', 'quote': '', 'names': ['movieId', 'title']},
    },
    'recbole events': {'': {'delimiter': '\t', 'quote': ''}},
    'recbole items': {'': {'delimiter': '\t', 'quote': ''}},
    'mind events': {'': {'delimiter': '\t', 'quote': '', 'names': ['impression_id', 'user_id', 'time', 'history', 'impressions']}},
    'mind items': {'': {'delimiter': '\t', 'quote': '', 'names': ['news_id', 'category', 'subcategory', 'title', 'abstract', 'url', 'title_entities', 'abstract_entities']}},
}.get(var('log_format') ~ ' ' ~ what, {}) -%}
{%- for ending in written if path.removesuffix('.gz').endswith(ending) -%}
    {%- do return(written[ending].get(setting)) -%}
{%- endfor -%}
{%- do return(none) -%}
{%- endmacro %}

{# What the items file calls one of our columns; item_id is called as in the log unless item_columns says otherwise. #}
{% macro items_file_column(name) -%}
{%- set known = ['item_id', 'title', 'brand', 'category', 'category_path', 'keywords', 'text'] -%}
{%- for ours in var('item_columns') -%}
    {%- if ours not in known -%}
        {{ exceptions.raise_compiler_error("var item_columns names '" ~ ours ~ "', which is none of " ~ known | join(', ') ~ "; write {ours: theirs}, such as {title: product_name}") }}
    {%- endif -%}
{%- endfor -%}
{%- set settings = ['encoding', 'delimiter', 'header', 'columns', 'quote', 'null_values', 'skip'] -%}
{%- for setting in var('items_file') if setting not in settings -%}
    {{- exceptions.raise_compiler_error("var items_file has '" ~ setting ~ "', which is none of " ~ settings | join(', ') ~ "; write {encoding: latin-1} for example") }}
{%- endfor -%}
{{- var('item_columns').get(name, var('item_column') if name == 'item_id' and var('log_format') == 'columns' else name) -}}
{%- endmacro %}

{# An id or an order value as it is given: blank text and the words of var null_values say that there is none. #}
{% macro given(column, nothing=[]) -%}
case
    when trim(cast({{ column }} as varchar)) in (''
        {%- for word in var('null_values') + nothing %}, {{ quote_literal(word ~ '') }}{% endfor %}) then null
    else {{ column }}
end
{%- endmacro %}

{# What orders a user's events: the column, or the times that its text is read as by order_format. Without a column all events come at once. #}
{% macro order_value() -%}
{%- set column = quoted(var('order_column') or '') -%}
{%- if var('order_column') is none -%}
0
{%- elif var('order_format') -%}
try_strptime(trim(cast({{ column }} as varchar)), {{ quote_literal(var('order_format')) }})
{%- else -%}
{{ given(column, nothing=['nan']) }}
{%- endif -%}
{%- endmacro %}

{# A column name of somebody else's file, as SQL. #}
{% macro quoted(column) -%}
"{{ column | replace('"', '""') }}"
{%- endmacro %}

{# Whether an order value is a time at midnight: a date, a timestamp, or a number of seconds and the like since 1970. #}
{% macro is_whole_day(column) -%}
coalesce(
    case {{ time_unit(column) }}
        when 'time' then try_cast(cast({{ column }} as varchar) as timestamp) = date_trunc('day', try_cast(cast({{ column }} as varchar) as timestamp))
        else {{ seconds_of(column) }} % 86400 = 0
    end,
    false
)
{%- endmacro %}

{# Whether a value is one of the words that programs write for nothing. #}
{% macro is_word_for_nothing(column) -%}
upper(trim(cast({{ column }} as varchar))) in ('NULL', '(NULL)', '\N', 'NA', 'N/A', '#N/A', '<NA>', 'NAN', 'NAT', 'NONE', 'NIL', 'UNDEFINED')
{%- endmacro %}

{# The seconds since 1970 of an order value that is a number of seconds, milliseconds, microseconds or nanoseconds since then, by its size. #}
{% macro seconds_of(column) -%}
(try_cast(cast({{ column }} as varchar) as double) / case {{ time_unit(column) }} when 's' then 1 when 'ms' then 1e3 when 'us' then 1e6 when 'ns' then 1e9 end)
{%- endmacro %}

{# The same of any order value that is a time. #}
{% macro time_in_seconds(column) -%}
coalesce({{ seconds_of(column) }}, epoch(case when {{ time_unit(column) }} = 'time' then try_cast(cast({{ column }} as varchar) as timestamp) end))
{%- endmacro %}

{# The unit of an order value that is a time: s, ms, us or ns since 1970 by its size, or a `time` as such; null for what is no time. #}
{% macro time_unit(column) -%}
case
    when try_cast(cast({{ column }} as varchar) as double) between 100000000 and 9999999999 then 's'
    when try_cast(cast({{ column }} as varchar) as double) between 100000000000 and 9999999999999 then 'ms'
    when try_cast(cast({{ column }} as varchar) as double) between 100000000000000 and 9999999999999999 then 'us'
    when try_cast(cast({{ column }} as varchar) as double) between 100000000000000000 and 9999999999999999999 then 'ns'
    when try_cast(cast({{ column }} as varchar) as double) is null and try_cast(cast({{ column }} as varchar) as timestamp) is not null then 'time'
end
{%- endmacro %}

{# The token of an item that is numbered or called by its id; on one line, for a prompt shows a product a line. The number, not the id, stands
   in <i_12>: an id may hold spaces, quotes or anything else. #}
{% macro item_token() -%}
{{ "'<i_' || item_number || '>'" if var('item_ids') == 'token' else "trim(regexp_replace(cast(item_id as varchar), '\\s+', ' ', 'g'))" }}
{%- endmacro %}
