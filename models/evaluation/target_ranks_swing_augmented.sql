-- models/evaluation/target_ranks_swing_augmented.sql: where Swing with synthetic interactions ranks each target.
{{ config(enabled=var('recommender') != 'swing') }}
{{ target_ranks('swing', 'llm_i2i', ref('index_swing_augmented'), ref('evaluation_triggers')) }}
