-- models/llm_cf/llm_cf_interactions.sql: LLM-CF's pairs in place of LLM-I2I's, as many a user, with the same votes.
{{ config(enabled=llm_cf_adds_pairs() == 'true', tags=['llm_cf']) }}
{{ control_pairs('llm_cf') }}
