{# Words that queries of all parts share. #}

{# A number as DOUBLE: a bare 0.5 is a DECIMAL in DuckDB and something else again in Spark. #}
{% macro double(value) -%}
cast({{ value }} as double)
{%- endmacro %}

{# A score for ranking: float32 forgets the last bits, which differ between runs (threads add in any order), and keeps seven digits. Ties go by item. #}
{% macro rounded(score) -%}
cast({{ score }} as float)
{%- endmacro %}

{# Inner product of two lists. DOUBLE: sums of FLOAT differ in their last digits by engine and by CPU. #}
{% macro dot_product(first, second) -%}
list_dot_product(cast({{ first }} as double[]), cast({{ second }} as double[]))
{%- endmacro %}

{# The log's own timestamp, where events are not ordered by a mere position. #}
{% macro timestamp_column(prefix='') -%}
{%- if var('order_column') != 'position' -%}
{{ prefix }}timestamp,
{%- endif -%}
{%- endmacro %}

{# Whether real pairs are filtered (method.md 2.6): a discriminator that never saw a user judges his pairs. The var is there with the part filter_real
   alone; YAML reads a bare off as false. #}
{% macro is_filtering() -%}
{%- do return(var('filter_real', 'off') not in ['off', false]) -%}
{%- endmacro %}
