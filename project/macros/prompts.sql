{# Prompts (method.md 2.4). The vars generator_prompt and discriminator_prompt choose a template of project/prompts/; these macros write what goes into it,
   the same for training and inference. The history is one product a line, `{n}. ...`, oldest first: the tokenizer drops the oldest of such lines
   where a prompt is too long (llm_i2i/lm/history.py). Under `short` it is the item tokens alone, separated by spaces. #}

{# How a prompt shows products: `inline` tokens, a `token` a line, token and `text`, `text_only`, or a `list` of tokens that the answer goes on with. #}
{% macro product_form(role) -%}
{%- set forms = {
    'generator': {'short': 'inline', 'g1': 'token', 'g2': 'text', 'g3': 'token', 'g4': 'text', 'g5': 'token', 'g6': 'list'},
    'discriminator': {'short': 'inline', 'd1': 'text', 'd2': 'text_only', 'd3': 'token', 'd4': 'popularity'},
} -%}
{{- forms[role][var(role ~ '_prompt')] -}}
{%- endmacro %}

{# Whether prompts show more of a product than its token. #}
{% macro shows_text(role) -%}
{%- do return(product_form(role) not in ('inline', 'token', 'list')) -%}
{%- endmacro %}

{# One line of at most `limit` characters; null where nothing is left. #}
{% macro short_text(text, limit=64) -%}
nullif(trim(left(trim(regexp_replace({{ text }}, '\s+', ' ', 'g')), {{ limit }})), '')
{%- endmacro %}

{# What prompts show of a product beside its token, of the aliases `items` and `counts`: `{title} | {brand} | {category}`; null without text. #}
{% macro product_words(form) -%}
nullif(concat_ws(
            ' | ',
            {{ short_text('coalesce(items.title, items.keywords)') }},
            {{ short_text('items.brand') }},
            {{ short_text('items.category') }}
            {%- if form == 'popularity' %},
            'popularity ' || cast(floor(log2(1 + coalesce(counts.n_events, 0))) as integer)
            {%- endif %}
        ), '')
{%- endmacro %}

{# item_numbers, its item_token replaced by what prompts show: `[{id}] {words}`. Popularity is log2 of the train events. #}
{% macro products_in_prompts(role) -%}
{%- set form = product_form(role) -%}
{%- if not shows_text(role) -%}
{{ ref('item_numbers') }}
{%- else -%}
(
    select
        items.item_id,
        items.item_number,
        {%- if form == 'text_only' %}
        coalesce({{ product_words(form) }}, 'a product without text') as item_token
        {%- else %}
        '[' || items.item_token || ']' || coalesce(' ' || {{ product_words(form) }}, '') as item_token
        {%- endif %}
    from {{ ref('items') }} as items
    {%- if form == 'popularity' %}
    left join (select item_number, count(*) as n_events from {{ ref('interactions_train') }} group by item_number) as counts
        on counts.item_number = items.item_number
    {%- endif %}
)
{%- endif -%}
{%- endmacro %}

{# An aggregate of the products of a history, oldest first: over a window (`over`, which holds the order) or over a group (`order`). #}
{% macro history_of(role, product, over='', order='') -%}
{%- set order = ' order by ' ~ order if order else '' -%}
{%- set over = ' over (' ~ over ~ ')' if over else '' -%}
{%- if product_form(role) == 'inline' -%}
string_agg({{ product }}, ' '{{ order }}){{ over }}
{%- else -%}
array_to_string(list_transform(list({{ product }}{{ order }}){{ over }}, lambda line, n: {{ "'-" if product_form(role) == 'list' else "n || '." }} ' || line), chr(10))
{%- endif -%}
{%- endmacro %}

{# The generator's prompt. G3 is for semantic codes, G5 for titles: the answer is then one of the catalogue's titles, by the trie. G6 is a list that goes on, so a user's prompts are prefixes of one another. #}
{% macro generator_prompt(user, history) -%}
{%- set name = var('generator_prompt') -%}
{%- set needed = {'g3': 'semantic', 'g5': 'title'} -%}
{%- if name in needed and var('item_ids') != needed[name] -%}
{{ exceptions.raise_compiler_error("generator_prompt " ~ name ~ " needs item_ids: " ~ needed[name] ~ ", not " ~ var('item_ids')) }}
{%- elif name == 'short' -%}
{{ prompt('generator', history=history) }}
{%- elif name != 'g6' and var('generator_examples') == 'by_user' -%}
{{ exceptions.raise_compiler_error("generator_prompt " ~ name ~ " needs generator_examples: by_position, one row a prompt; g6 takes by_user") }}
{%- elif name in ('g4', 'g5', 'g6') -%}
{{ prompt('generator_' ~ name, history=history) }}
{%- else -%}
{{ prompt('generator_' ~ name, user=user, history=history) }}
{%- endif -%}
{%- endmacro %}

{# The discriminator's prompt (var discriminator: history). #}
{% macro discriminator_prompt(user, history, candidate) -%}
{%- if var('discriminator_prompt') == 'short' -%}
{{ prompt('discriminator', history=history, candidate=candidate) }}
{%- else -%}
{{ prompt('discriminator_' ~ var('discriminator_prompt'), user=user, history=history, candidate=candidate) }}
{%- endif -%}
{%- endmacro %}

{# Column of generator_prompts that the discriminator reads; its own where the two show products in different ways. #}
{% macro discriminator_history() -%}
{{- 'history' if product_form('generator') == product_form('discriminator') or var('discriminator') != 'history' else 'discriminator_history' -}}
{%- endmacro %}
