-- models/llm_cf/llm_cf_vectors.sql: BPR's or YoutubeDNN's vectors, where it is the recommender, from the log with LLM-CF's pairs.
{{ config(enabled=trains_backbone_on_llm_cf() == 'true' and var('recommender') in ['bpr', 'youtube_dnn'], tags=['llm_cf']) }}
{% if var('recommender') == 'bpr' %}
{{ bpr_vectors(augmented=true, events=llm_cf_events()) }}
{% else %}
{{ youtube_dnn_vectors(augmented=true, events=llm_cf_events()) }}
{% endif %}
