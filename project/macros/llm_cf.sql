{# The rival augmentation LLM-CF (models/llm_cf, project/docs/llm_cf.md). #}

{# The recommender of the arm llm_cf: that of the controls, but under append a backbone that is the var recommender is trained on LLM-CF's pairs itself. #}
{% macro llm_cf_recommender() -%}
{{ var('recommender') if trains_backbone_on_llm_cf() == 'true' else control_recommender() }}
{%- endmacro %}

{# Whether LLM-CF adds pairs: readings A and B. C is the native model's own ranking. #}
{% macro llm_cf_adds_pairs() -%}
{%- if var('llm_cf') and var('llm_cf_reading') == 'C' and var('recommender') != 'youtube_dnn' -%}
    {{ exceptions.raise_compiler_error("llm_cf_reading C is the native model, a YoutubeDNN: it needs recommender: youtube_dnn, not " ~ var('recommender')) }}
{%- endif -%}
{{ 'true' if var('llm_cf') and var('llm_cf_reading') != 'C' else 'false' }}
{%- endmacro %}

{# Examples as the UDFs take them; `positive`: only those answered yes. #}
{% macro llm_cf_example_rows(positive) -%}
(
        select
            examples.example_number,
            examples.user_number,
            examples.item_number,
            examples.answer,
            examples.history,
            {% if var('llm_cf_reasoning') -%}
            reasoning.embedding
            {%- else -%}
            cast(null as float[]) as embedding
            {%- endif %}
        from {{ ref('llm_cf_examples') }} as examples
        {%- if var('llm_cf_reasoning') %}
        left join {{ ref('llm_cf_reasoning') }} as reasoning on reasoning.example_number = examples.example_number
        {%- endif %}
        {%- if positive %}
        where examples.answer = 'Yes'
        {%- endif %}
        order by examples.example_number
    )
{%- endmacro %}

{# How many pairs LLM-I2I keeps for each user: user_number, n_wanted. #}
{% macro llm_cf_wanted() -%}
(
            select
                user_number,
                count(*) as n_wanted
            from {{ ref('synthetic_interactions') }}
            group by user_number
        )
{%- endmacro %}

{# Whether a backbone other than Swing is trained on the log with LLM-CF's pairs. #}
{% macro trains_backbone_on_llm_cf() -%}
{{ 'true' if llm_cf_adds_pairs() == 'true' and {'append': true, 'distil': false}[var('fusion')] and is_backbone(var('recommender')) == 'true' else 'false' }}
{%- endmacro %}

{# What that backbone's similarity and own ranking are read off. #}
{% macro llm_cf_source() -%}
{{ ref('llm_cf_neighbours' if var('recommender') in ['bm25', 'tfidf'] else 'llm_cf_vectors') }}
{%- endmacro %}

{# The log with LLM-CF's pairs, as backbone_events. #}
{% macro llm_cf_events() -%}
(
        select
            user_number,
            item_number,
            position,
            weight,
            origin
        from (
        {{ events_with_pairs(ref('llm_cf_interactions')) | indent(4) }}
        ) as events
        order by user_number, position
    )
{%- endmacro %}
