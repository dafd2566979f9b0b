{# The rival augmentation LLM-CF (models/llm_cf, project/docs/llm_cf.md). #}

{# The recommender of the arm llm_cf: that of the controls, but under append a backbone that is the var recommender is trained on LLM-CF's pairs itself. #}
{% macro llm_cf_recommender() -%}
{{ var('recommender') if trains_backbone_on_llm_cf() == 'true' else control_recommender() }}
{%- endmacro %}

{# Whether a backbone other than Swing is trained on the log with LLM-CF's pairs. #}
{% macro trains_backbone_on_llm_cf() -%}
{{ 'true' if var('llm_cf') and {'append': true, 'distil': false}[var('fusion')] and is_backbone(var('recommender')) == 'true' else 'false' }}
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
