{# Whether any model reads `negatives`. #}
{% macro draws_negatives() -%}
{%- do return(var('discriminator') == 'history' or is_filtering() or var('llm_cf', false)) -%}
{%- endmacro %}

{# The shares of the samplers of `negatives` by name (var negative_sampler), adding up to 1. #}
{% macro negative_shares() -%}
{%- set shares = var('negative_mixture') if var('negative_sampler') == 'mixture' else {var('negative_sampler'): 1} -%}
{%- for name, share in shares.items() -%}
    {%- if name not in ['uniform', 'popularity', 'same_category', 'swing_neighbour', 'generator'] -%}
        {{ exceptions.raise_compiler_error("sampler '" ~ name ~ "' in var negative_mixture is none of uniform, popularity, same_category, swing_neighbour, generator") }}
    {%- endif -%}
    {%- if share is not number or share is boolean or share <= 0 -%}
        {{ exceptions.raise_compiler_error("the share of '" ~ name ~ "' in var negative_mixture is " ~ share ~ "; write a number above 0") }}
    {%- endif -%}
{%- endfor -%}
{%- if not shares -%}
    {{ exceptions.raise_compiler_error("var negative_mixture is empty; give each sampler a share, as in {uniform: 0.7, swing_neighbour: 0.3}") }}
{%- endif -%}
{%- set parts = {} -%}
{%- for name, share in shares.items() -%}
    {%- do parts.update({name: share / (shares.values() | sum)}) -%}
{%- endfor -%}
{%- do return(parts) -%}
{%- endmacro %}
