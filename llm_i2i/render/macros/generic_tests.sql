{#- Generic data tests. Each selects the rows that fail; every argument comes from YAML. -#}

{% macro test_not_null(model, column_name) %}
select *
from {{ model }}
where {{ column_name }} is null
{% endmacro %}

{#- One row for each value that occurs more than once. -#}
{% macro test_unique(model, column_name) %}
select
    {{ column_name }} as value,
    count(*) as n_rows
from {{ model }}
where {{ column_name }} is not null
group by {{ column_name }}
having count(*) > 1
{% endmacro %}

{% macro test_relationships(model, column_name, to, field) %}
select child.value
from (select {{ column_name }} as value from {{ model }}) as child
left join (select distinct {{ field }} as value from {{ to }}) as parent
    on child.value = parent.value
where child.value is not null and parent.value is null
{% endmacro %}

{#- quote=false takes the values as SQL; otherwise text becomes literals and numbers stay numbers. -#}
{% macro test_accepted_values(model, column_name, values, quote=true) %}
{%- if not values %}
{{ exceptions.raise_compiler_error("accepted_values needs at least one value") }}
{%- endif %}
select
    {{ column_name }} as value,
    count(*) as n_rows
from {{ model }}
where {{ column_name }} not in (
    {%- for value in values %}
    {{ quote_literal(value) if quote else value }}{{ "," if not loop.last }}
    {%- endfor %}
)
group by {{ column_name }}
{% endmacro %}

{% macro test_accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}
{%- if min_value is none and max_value is none %}
{{ exceptions.raise_compiler_error("accepted_range needs min_value, max_value or both") }}
{%- endif %}
select *
from {{ model }}
where
    {%- if min_value is not none %}
    {{ column_name }} {{ "<" if inclusive else "<=" }} {{ min_value }}
    {%- endif %}
    {%- if min_value is not none and max_value is not none %}
    or
    {%- endif %}
    {%- if max_value is not none %}
    {{ column_name }} {{ ">" if inclusive else ">=" }} {{ max_value }}
    {%- endif %}
{% endmacro %}

{#- The columns are a key: no value twice, none NULL. -#}
{% macro test_grain(model, columns) %}
{%- set names = [columns] if columns is string else columns %}
{%- set key = names | join(", ") %}
select
    {{ key }},
    count(*) as n_rows
from {{ model }}
group by {{ key }}
having
    count(*) > 1
    {%- for name in names %}
    or {{ name }} is null
    {%- endfor %}
{% endmacro %}

{% macro test_not_empty(model) %}
select
    n_rows,
    'it has no rows at all' as message
from (select count(*) as n_rows from {{ model }}) as counted
where n_rows = 0
{% endmacro %}

{#- As in dbt_utils: an expression that is NULL passes. -#}
{% macro test_expression_is_true(model, expression, column_name=none) %}
select *
from {{ model }}
where not ({{ column_name ~ " " if column_name is not none }}{{ expression }})
{% endmacro %}
