{# How the log is split (method.md 5.1): by each user's last events, or, under global_time, at two points in time that are the same for all. #}

{# Whether the protocol splits at points in time. Refuses vars that do not go with it. #}
{% macro splits_by_time() -%}
{%- if var('protocol') == 'global_time' and var('order_column') in ['position', none] -%}
{{ exceptions.raise_compiler_error("protocol global_time needs points in time, but order_column is " ~ ("null" if var('order_column') is none else "`position`, a place in each user's own history") ~ "; name a timestamp column, or choose another protocol") }}
{%- elif var('protocol') == 'global_time' and var('held_out_events') is not none -%}
{{ exceptions.raise_compiler_error("held_out_events does not go with protocol global_time, which splits at train_before and query_before; set held_out_events to null") }}
{%- endif -%}
{%- do return(var('protocol') == 'global_time') -%}
{%- endmacro %}

{# What one held-out place at the end of a user is: an event or, with tied_targets: step, all events of one order value. #}
{% macro held_out_unit(prefix='') -%}
{{ prefix ~ ('step' if var('tied_targets') == 'step' else 'position') }}
{%- endmacro %}

{# A point in time out of a var: a number between 0 and 1 is a quantile of the events' times, anything else is compared with them as it is. #}
{% macro time_cut(name) -%}
{%- set value = var(name) -%}
{%- if value is boolean or value is none -%}
{{ exceptions.raise_compiler_error("var " ~ name ~ " is " ~ value ~ "; write a share of the events such as 0.8, or a time such as '2024-10-01' (quoted) or 1389000000, as order_column has them") }}
{%- elif value is number and value > 0 and value < 1 -%}
quantile_disc(order_value, {{ value }})
{%- else -%}
-- the branch never taken gives the literal the column's type.
any_value(case when false then order_value else {{ quote_literal(value | string) }} end)
{%- endif -%}
{%- endmacro %}

{# The protocol's name with the vars that depart from it: only rows of the same text may be compared. An SQL literal. #}
{% macro protocol_label() -%}
{%- set changes = [] -%}
{%- for name in ['held_out_events', 'triggers', 'trigger_decay', 'exclude_seen', 'new_users'] if var(name) != preset(name) -%}
    {%- do changes.append(name ~ ' ' ~ (var(name) | string | lower)) -%}
{%- endfor -%}
{%- if var('tied_targets') != 'drawn' and var('protocol') != 'global_time' -%}
    {%- do changes.append('tied_targets ' ~ var('tied_targets')) -%}
{%- endif -%}
{%- if var('protocol') == 'global_time' -%}
    {%- do changes.extend(['train_before ' ~ var('train_before'), 'query_before ' ~ var('query_before')]) -%}
{%- endif -%}
{{ quote_literal(var('protocol') ~ (' (' ~ changes | join(', ') ~ ')' if changes else '')) }}
{%- endmacro %}

{# A join that leaves only the items a target competes with, where the protocol does not rank all. `rows`: an alias with target_number and item_number. #}
{% macro join_competitors(rows) -%}
{%- if var('protocol') == 'sampled99' -%}
inner join {{ ref('sampled_candidates') }} as competitors
    on competitors.target_number = {{ rows }}.target_number and competitors.item_number = {{ rows }}.item_number
{%- elif var('protocol') == 'global_time' -%}
inner join {{ ref('known_items') }} as competitors
    on competitors.is_test = {{ rows }}.target_number % 2 and competitors.item_number = {{ rows }}.item_number
{%- endif -%}
{%- endmacro %}
