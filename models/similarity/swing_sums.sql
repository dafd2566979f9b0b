-- models/similarity/swing_sums.sql: the sums of Swing on the real train part, by pair of items; the Swing models without synthetic data are read off it.
{{ swing_sums(ref('interactions_train'), recency='position', costs=ref('swing_costs')) }}
