-- models/evaluation/target_ranks_text_neighbours.sql: where text neighbours rank each target.
{{ target_ranks('text_neighbours', 'none', ref('index_text_neighbours'), ref('evaluation_triggers')) }}
