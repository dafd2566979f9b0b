-- models/llm_cf/target_ranks_llm_cf.sql: where the index with LLM-CF's pairs ranks each target.
{{ config(enabled=var('llm_cf'), tags=['llm_cf']) }}
{{ target_ranks(control_recommender(), 'llm_cf', ref('index_llm_cf'), ref('evaluation_triggers')) }}
