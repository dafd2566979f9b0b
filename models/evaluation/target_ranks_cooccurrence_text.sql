-- models/evaluation/target_ranks_cooccurrence_text.sql: where co-occurrence and text neighbours ranks each target.
{{ config(enabled=var('recommender') != 'cooccurrence_text') }}
{{ target_ranks('cooccurrence_text', 'none', ref('index_cooccurrence_text'), ref('evaluation_triggers')) }}
