-- models/evaluation/target_ranks_swing_plain.sql: where Swing over pairs of different users ranks each target.
{{ target_ranks('swing_plain', 'none', ref('index_swing_plain'), ref('evaluation_triggers')) }}
