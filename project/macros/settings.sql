{# What a protocol fixes (method.md 5.1). A var of the same name overrides the preset when it is not null. Gives text: `true`, `10`, `0.5`. #}
{% macro protocol_setting(name) -%}
{%- set presets = {
    'paper': {'held_out_events': 2, 'triggers': 1, 'trigger_decay': 1.0, 'exclude_seen': false, 'self_pairs': false, 'degree_exponent': 0},
    'standard': {'held_out_events': 2, 'triggers': 10, 'trigger_decay': 0.5, 'exclude_seen': true, 'self_pairs': true, 'degree_exponent': 0.5},
    'standard_val': {'held_out_events': 1, 'triggers': 10, 'trigger_decay': 0.5, 'exclude_seen': true, 'self_pairs': true, 'degree_exponent': 0.5},
    'sampled99': {'held_out_events': 2, 'triggers': 10, 'trigger_decay': 0.5, 'exclude_seen': false, 'self_pairs': true, 'degree_exponent': 0.5},
    'global_time': {'held_out_events': none, 'triggers': 10, 'trigger_decay': 0.5, 'exclude_seen': true, 'self_pairs': true, 'degree_exponent': 0.5},
} -%}
{%- set override = var(name, none) -%}
{%- set value = presets[var('protocol')][name] if override is none else override -%}
{{- value | string | lower -}}
{%- endmacro %}

{# What a Swing preset fixes (method.md 6.1). A var of the same name overrides the preset when it is not null; under `ours`, self_pairs and degree_exponent
   come from the protocol. alink, flink, pai_ext: the documented defaults, but for min_items_per_user: theirs is 10 (PAI's swing_rec_ext gives none), which drops
   most users of a review log. A cap of 0 is none. Gives text. #}
{% macro swing_setting(name) -%}
{%- set original = {
    'user_alpha': 0.0, 'user_beta': 0.5, 'swing_alpha': 1.0, 'self_pairs': false, 'self_pair_weight': 1.0, 'user_pair_weight': 1,
    'min_common_users': 1, 'min_items_per_user': 1, 'max_items_per_user': 1000, 'over_max_items': 'recent', 'max_users_per_item': 0,
    'degree_exponent': 0, 'max_normalised': false,
} -%}
{%- set capped = dict(original, max_users_per_item=1000) -%}
{%- set presets = {
    'ours': dict(capped, self_pairs=none, self_pair_weight=0.1, degree_exponent=none),
    'paper': original,
    'alink': dict(capped, user_alpha=5.0, user_beta=-0.35, over_max_items='drop_user'),
    'flink': dict(capped, user_alpha=15.0, user_beta=0.3, swing_alpha=0.0, over_max_items='drop_user'),
    'pai_ext': dict(original, user_alpha=5.0, user_beta=0.3, max_items_per_user=500, max_users_per_item=600, max_normalised=true),
} -%}
{%- set override = var(name, none) -%}
{%- set value = presets[var('swing_preset')][name] if override is none else override -%}
{%- if value is none and name in ('self_pairs', 'degree_exponent') -%}
{{- protocol_setting(name) -}}
{%- else -%}
{{- value | string | lower -}}
{%- endif -%}
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
