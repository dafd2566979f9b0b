{# The signals of a model, in the order of its own select: all its columns but those that say whose row it is, and what the row is learnt as. #}
{% macro signals_of(model) -%}
{%- set keys = ['user_id', 'user_number', 'item_id', 'item_number', 'related_item_number', 'rank', 'generator_call', 'age', 'is_hit', 'fold', 'weight', 'balanced_weight'] -%}
{%- do return(columns_of(model) | reject('in', keys) | list) -%}
{%- endmacro %}

{# The prompt of a candidate: one word per signal of `model`, its name and bucket. `signals` and `cuts` are aliases in the FROM. #}
{% macro signals_prompt(model, signals='signals', cuts='cuts') -%}
(
    {%- for signal in signals_of(model) %}
    '{{ ' ' if not loop.first }}{{ signal }}_' || case
        when {{ signals }}.{{ signal }} = 0 then 'none'
        else cast(
            {%- for cut in range(1, var('signal_buckets') // 2 * 2 + 1) %}
            case when {{ signals }}.{{ signal }} > {{ cuts }}.{{ signal }}[{{ cut }}] then 1 else 0 end{{ ' +' if not loop.last }}
            {%- endfor %}
            as varchar)
    end{{ ' ||' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}
