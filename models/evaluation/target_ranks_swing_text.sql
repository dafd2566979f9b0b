-- models/evaluation/target_ranks_swing_text.sql: where Swing and text neighbours ranks each target.
{{ config(enabled=var('recommender') != 'swing_text') }}
{{ target_ranks('swing_text', 'none', ref('index_swing_text'), ref('evaluation_triggers')) }}
