{# What a protocol fixes (method.md 5.1). A var of the same name overrides the preset when it is not null. Gives text: `true`, `10`, `0.5`. #}
{% macro protocol_setting(name) -%}
{{- var(name) | string | lower -}}
{%- endmacro %}

{# What a Swing preset fixes (method.md 6.1). A var of the same name overrides the preset when it is not null; under `ours`, self_pairs and degree_exponent
   come from the protocol. alink, flink, pai_ext: the documented defaults, but for min_items_per_user: theirs is 10 (PAI's swing_rec_ext gives none), which drops
   most users of a review log. A cap of 0 is none. Gives text. #}
{% macro swing_setting(name) -%}
{{- var(name) | string | lower -}}
{%- endmacro %}

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
