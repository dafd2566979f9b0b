-- models/evaluation/target_ranks_cooccurrence.sql: where co-occurrence ranks each target.
{{ target_ranks('cooccurrence', 'none', ref('index_cooccurrence'), ref('evaluation_triggers')) }}
