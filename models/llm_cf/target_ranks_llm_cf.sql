-- models/llm_cf/target_ranks_llm_cf.sql: where the recommender with LLM-CF's pairs ranks each target; reading C: where the native model does.
{{ config(enabled=var('llm_cf'), tags=['llm_cf']) }}
{% if llm_cf_adds_pairs() == 'false' %}
{{ target_ranks_of_lists('youtube_dnn', 'llm_cf', '(' ~ vector_lists('youtube_dnn', true, ref('llm_cf_native_vectors')) ~ ')') }}
{% elif trains_backbone_on_llm_cf() == 'true' %}
{{ recommender_target_ranks(var('recommender'), 'llm_cf', ref('index_llm_cf'), source=llm_cf_source()) }}
{% else %}
{{ target_ranks(llm_cf_recommender(), 'llm_cf', ref('index_llm_cf'), ref('evaluation_triggers')) }}
{% endif %}
