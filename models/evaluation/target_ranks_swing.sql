-- models/evaluation/target_ranks_swing.sql: where Swing as the protocol has it ranks each target.
{{ config(enabled=var('recommender') != 'swing') }}
{{ target_ranks('swing', 'none', ref('index_swing'), ref('evaluation_triggers')) }}
