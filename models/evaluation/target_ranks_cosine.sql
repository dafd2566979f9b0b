-- models/evaluation/target_ranks_cosine.sql: where cosine ranks each target.
{{ config(enabled=var('recommender') != 'cosine') }}
{{ target_ranks('cosine', 'none', ref('index_cosine'), ref('evaluation_triggers')) }}
