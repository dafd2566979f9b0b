{# Random draws that are the same on every engine, thread count and run: arithmetic modulo the prime 2^31 - 1.
   Keys are columns of non-negative integers below 2^31; the product of two residues stays inside a BIGINT. #}
{% macro draw_seed(keys, seed) -%}
{%- set multipliers = [48271, 69621, 39373, 16807] -%}
((
    {%- for key in keys -%}
    cast({{ key }} as bigint) * {{ multipliers[loop.index0] }} + {% endfor -%}
    {{ (seed * 630360016 + 1) % 2147483647 }}) % 2147483647)
{%- endmacro %}

{# x -> x^5, a bijection of the residues (5 does not divide 2^31 - 2) that breaks up the lattice of the seeds. `column` must be a plain column. #}
{% macro scrambled(column) -%}
({{ column }} * {{ column }} % 2147483647 * ({{ column }} * {{ column }} % 2147483647) % 2147483647 * {{ column }} % 2147483647)
{%- endmacro %}

{# In which order events of one user at one time come: by a hash of both ids, which tells nothing, whatever the ids follow. It is made of the ids and not of
   their numbers, so that an order that was drawn once stays as the log grows, and 128 bits long, so that no two items of a user share it. #}
{% macro tie_order(user_id, item_id) -%}
md5('{{ var('tie_seed') }} ' || cast({{ user_id }} as varchar) || ' ' || cast({{ item_id }} as varchar))
{%- endmacro %}
