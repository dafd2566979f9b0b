{# One value set for each fold of users, from 1. #}
{% macro filter_folds() -%}
{%- set folds = [] -%}
{%- for fold in range(1, var('filter_folds') + 1) -%}
    {%- do folds.append({'fold': fold}) -%}
{%- endfor -%}
{%- do return(folds) -%}
{%- endmacro %}
