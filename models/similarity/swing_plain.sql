-- models/similarity/swing_plain.sql: Swing over pairs of different users only (u < v); an arm without language model (method.md 6.5).
{{ swing_scores(ref('swing_sums'), user_pair_weight=1, max_normalised=false, self_pairs=false, degree_exponent=0) }}
