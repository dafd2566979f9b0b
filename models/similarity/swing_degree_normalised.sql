-- models/similarity/swing_degree_normalised.sql: Swing / sqrt(d_i d_j), which takes popularity out; an arm without language model (method.md 6.5).
{{ swing_scores(ref('swing_sums'), user_pair_weight=1, max_normalised=false, self_pairs=false, degree_exponent=0.5) }}
