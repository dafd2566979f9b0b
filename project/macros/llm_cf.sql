{# Words of the part llm_cf, the rival augmentation LLM-CF (method.md 6.4, project/docs/llm_cf.md). #}

{# Whether LLM-CF adds pairs: readings A and B. C is the native model's own ranking. #}
{% macro llm_cf_adds_pairs() -%}
{%- if var('llm_cf') and var('llm_cf_reading') == 'C' and var('recommender') != 'youtube_dnn' -%}
    {{ exceptions.raise_compiler_error("llm_cf_reading C is the native model, a YoutubeDNN: it needs recommender: youtube_dnn, not " ~ var('recommender')) }}
{%- endif -%}
{%- do return(var('llm_cf') and var('llm_cf_reading') != 'C') -%}
{%- endmacro %}

{# Whether a backbone other than Swing is trained on the log with LLM-CF's pairs: where it is the recommender, under fusion append. #}
{% macro trains_backbone_on_llm_cf() -%}
{% do return(llm_cf_adds_pairs() and var('fusion') == 'append' and var('recommender') in ['bm25', 'tfidf', 'bpr', 'youtube_dnn']) %}
{%- endmacro %}
