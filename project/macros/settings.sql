{# What a protocol fixes (method.md 5.1). A var of the same name overrides the preset when it is not null. Gives text: `true`, `10`, `0.5`. #}
{% macro protocol_setting(name) -%}
{%- set presets = {
    'paper': {'held_out_events': 2, 'triggers': 1, 'trigger_decay': 1.0, 'exclude_seen': false, 'self_pairs': false, 'degree_exponent': 0},
    'standard': {'held_out_events': 2, 'triggers': 10, 'trigger_decay': 0.5, 'exclude_seen': true, 'self_pairs': true, 'degree_exponent': 0.5},
    'standard_val': {'held_out_events': 1, 'triggers': 10, 'trigger_decay': 0.5, 'exclude_seen': true, 'self_pairs': true, 'degree_exponent': 0.5},
} -%}
{%- set override = var(name, none) -%}
{%- set value = presets[var('protocol')][name] if override is none else override -%}
{{- value | string | lower -}}
{%- endmacro %}

{# A number as DOUBLE: a bare 0.5 is a DECIMAL in DuckDB and something else again in Spark. #}
{% macro double(value) -%}
cast({{ value }} as double)
{%- endmacro %}

{# A score for ranking: float32 forgets the last bits, which differ between runs (threads add in any order), and keeps seven digits. Ties go by item. #}
{% macro rounded(score) -%}
cast({{ score }} as float)
{%- endmacro %}

{# The log's own timestamp, where events are not ordered by a mere position. #}
{% macro timestamp_column(prefix='') -%}
{%- if var('order_column') != 'position' -%}
{{ prefix }}timestamp,
{%- endif -%}
{%- endmacro %}
