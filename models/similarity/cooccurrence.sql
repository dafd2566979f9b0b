-- models/similarity/cooccurrence.sql: users in common / (d_i d_j) ^ cooccurrence_degree_exponent; an arm without language model (findings.md 6).
{{ common_user_scores(ref('swing_sums'), var('cooccurrence_degree_exponent')) }}
