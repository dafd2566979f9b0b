-- models/evaluation/generator_rankings.sql: the generator's own list before each target: the paper's "w/o Swing" (method.md 3.3).
{{ config(enabled=var('generator_arm')) }}
{{ generated_interactions(ref('generator'), ref('ranking_prompts'), ref('target_histories')) }}
