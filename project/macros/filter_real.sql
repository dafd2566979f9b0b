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
