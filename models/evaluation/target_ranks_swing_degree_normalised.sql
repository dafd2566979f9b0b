-- models/evaluation/target_ranks_swing_degree_normalised.sql: where degree-normalised Swing ranks each target.
{{ target_ranks('swing_degree_normalised', 'none', ref('index_swing_degree_normalised'), ref('evaluation_triggers')) }}
