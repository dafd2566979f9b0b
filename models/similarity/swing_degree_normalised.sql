-- models/similarity/swing_degree_normalised.sql: Swing / (d_i d_j) ^ degree_exponent, which takes popularity out; an arm without language model.
{{ swing_scores(ref('swing_pairs'), self_pairs=false, degree_exponent=var('degree_exponent')) }}
