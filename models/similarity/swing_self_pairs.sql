-- models/similarity/swing_self_pairs.sql: Swing with the u = v term at full weight; an arm without language model (method.md 6.5).
{{ swing_scores(ref('swing_sums'), user_pair_weight=1, max_normalised=false, self_pairs=true, self_pair_weight=1, degree_exponent=0) }}
