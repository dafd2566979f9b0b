-- models/similarity/cooccurrence.sql: users in common / (d_i d_j) ^ cooccurrence_degree_exponent; an arm without language model (method.md 6.5).
{{ common_user_scores(ref('swing_sums'), var('cooccurrence_degree_exponent')) }}
