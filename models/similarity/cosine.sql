-- models/similarity/cosine.sql: cosine of two items' sets of users; an arm without language model, the best of them on the long tail (method.md 6.5).
{{ common_user_scores(ref('swing_sums'), 0.5) }}
