-- models/evaluation/target_ranks_cooccurrence.sql: where co-occurrence ranks each target.
{{ config(enabled=var('recommender') != 'cooccurrence') }}
{{ target_ranks('cooccurrence', 'none', ref('index_cooccurrence'), ref('evaluation_triggers')) }}
