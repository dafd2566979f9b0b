-- models/evaluation/ranking_prompts.sql: the generator's prompt before each target; of validation targets it is the one of generator_prompts.
{{ config(enabled=var('generator_arm')) }}
{{ generator_prompts(ref('target_histories')) }}
