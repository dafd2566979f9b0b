{# Whether real pairs are filtered (method.md 2.6): a discriminator that never saw a user judges his pairs. YAML reads a bare off as false. #}
{% macro is_filtering() -%}
{%- do return(var('filter_real') not in ['off', false]) -%}
{%- endmacro %}

{# One value set for each fold of users, from 1. #}
{% macro filter_folds() -%}
{%- set folds = [] -%}
{%- for fold in range(1, var('filter_folds') + 1) -%}
    {%- do folds.append({'fold': fold}) -%}
{%- endfor -%}
{%- do return(folds) -%}
{%- endmacro %}

{# The real events the augmented recommender learns from: user_number, item_number, position and weight among others. #}
{% macro real_events() -%}
{{ ref('refined_interactions' if is_filtering() else 'interactions_train') }}
{%- endmacro %}

{# The weight column of fused events for the sums of Swing, empty where all of them weigh 1. #}
{% macro fused_weight() -%}
{{ 'weight' if var('filter_real') == 'downweight' or (var('fusion') == 'append' and var('synthetic_weight') != 1) else '' }}
{%- endmacro %}
