{# The signals of a model, in the order of its own select: all its columns but those that say whose row it is, and what the row is learnt as. #}
{% macro signals_of(model) -%}
{%- set keys = ['user_id', 'user_number', 'item_id', 'item_number', 'related_item_number', 'rank', 'generator_call', 'age', 'is_hit', 'weight'] -%}
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

{# How often item_number is directly followed by next_item_number in `events`, divided by sqrt(d_i d_j). #}
{% macro transitions(events) -%}
with steps as (
    select
        item_number,
        lead(item_number) over (partition by user_number order by position) as next_item_number
    from {{ events }}
),

degrees as (
    select item_number, count(*) as degree from {{ events }} group by item_number
),

counts as (
    select item_number, next_item_number, count(*) as n_steps
    from steps
    where next_item_number is not null
    group by item_number, next_item_number
)

select
    counts.item_number,
    counts.next_item_number,
    counts.n_steps / sqrt(cast(degrees.degree as double) * next_degrees.degree) as score
from counts
inner join degrees on degrees.item_number = counts.item_number
inner join degrees as next_degrees on next_degrees.item_number = counts.next_item_number
{%- endmacro %}
