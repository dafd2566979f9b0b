-- models/evaluation/target_ranks_swing_equal_triggers.sql: where Swing over pairs of different users, many triggers of equal weight ranks each target.
{{ target_ranks('swing_equal_triggers', 'none', ref('index_swing_plain'), ref('evaluation_triggers_equal')) }}
