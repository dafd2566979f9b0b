-- models/llm_cf/index_llm_cf.sql: the index fused with the pairs of llm_cf_interactions.
{{ config(enabled=llm_cf_adds_pairs() == 'true', tags=['llm_cf']) }}
{% if trains_backbone_on_llm_cf() == 'true' %}
{{ top_related(ref('llm_cf_similarity')) }}
{% else %}
{{ top_related(similarity_with_pairs(ref('llm_cf_interactions'), control='llm_cf')) }}
{% endif %}
