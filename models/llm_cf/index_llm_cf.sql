-- models/llm_cf/index_llm_cf.sql: the index fused with the pairs of llm_cf_interactions.
{{ config(enabled=var('llm_cf'), tags=['llm_cf']) }}
{{ top_related(similarity_with_pairs(ref('llm_cf_interactions'), control='llm_cf')) }}
