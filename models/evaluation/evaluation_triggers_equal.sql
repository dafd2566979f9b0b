-- models/evaluation/evaluation_triggers_equal.sql: many triggers of equal weight, for the arm swing_equal_triggers.
{{ recent_triggers(var('equal_triggers'), 1) }}
