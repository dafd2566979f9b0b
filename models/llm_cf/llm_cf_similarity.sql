-- models/llm_cf/llm_cf_similarity.sql: the backbone with LLM-CF's pairs as item-item similarity.
{{ config(enabled=trains_backbone_on_llm_cf() == 'true', tags=['llm_cf']) }}
{{ backbone_similarity(var('recommender'), augmented=true, source=llm_cf_source()) }}
