-- models/similarity/swing.sql: Swing on real data only, as the protocol has it (method.md 6.1).
{{ swing_scores(ref('swing_sums')) }}
