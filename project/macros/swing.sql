{# Words of the queries that relate items (models/similarity). #}

{# Two numbers below 2^31 as one BIGINT, the first in the upper half: a hash table by it has half the size of one by two columns. #}
{% macro packed(first, second) -%}
(cast({{ first }} as bigint) << 32) | {{ second }}
{%- endmacro %}

{# The two numbers of a packed pair. #}
{% macro first_of(pair) -%}
{{ pair }} >> 32
{%- endmacro %}

{% macro second_of(pair) -%}
{{ pair }} & 4294967295
{%- endmacro %}

{# How many members a set has that makes this many pairs: c members make n = c (c - 1) / 2, so c = (1 + sqrt(1 + 8 n)) / 2. #}
{% macro members_of_pairs(n_pairs) -%}
(1 + sqrt(cast(1 + 8 * {{ n_pairs }} as double))) / 2
{%- endmacro %}

{# The form that sums a log's Swing: by_user, by_item, or auto, which asks swing_costs. By_item sees no pair of items with one user in common and no weights. #}
{% macro swing_form(weighted) %}
{% set knows_by_item = var('min_common_users') >= 2 and not weighted %}
{% if var('swing_form') == 'by_item' and not knows_by_item %}
{{ exceptions.raise_compiler_error("swing_form by_item needs min_common_users of 2 or more and no weights; set min_common_users: 2, or swing_form: auto") }}
{% endif %}
{% do return(var('swing_form') if knows_by_item else 'by_user') %}
{% endmacro %}

{# Whether the events that augmented recommenders learn from have weights. #}
{% macro fused_events_have_weights() %}{% do return(var('event_weights') | length > 0 or var('filter_real', 'off') == 'downweight' or (var('fusion') == 'append' and var('synthetic_weight') != 1)) %}{% endmacro %}

{# The caps on the users of an item that swing_costs tries. #}
{% macro swing_caps() %}{% do return([20, 50, 100, 200, 500, 1000]) %}{% endmacro %}

{# The value sets of models/similarity/swing.sql that come of the list swing_logs. #}
{% macro swing_of_logs() %}
{% set found = [] %}
{% for log in entries('swing_logs') if log.scored %}
{% do found.append({'name': log.prefix ~ 'swing', 'sums': log.prefix ~ 'swing_sums', 'settings': none, 'enabled': log.enabled, 'tags': log.tags}) %}
{% endfor %}
{% do return(found) %}
{% endmacro %}
