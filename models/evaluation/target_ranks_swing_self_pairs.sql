-- models/evaluation/target_ranks_swing_self_pairs.sql: where Swing with the u = v term ranks each target.
{{ target_ranks('swing_self_pairs', 'none', ref('index_swing_self_pairs'), ref('evaluation_triggers')) }}
