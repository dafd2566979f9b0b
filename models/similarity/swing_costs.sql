-- models/similarity/swing_costs.sql: how many pairs Swing will count on the train part, before it counts them: chooses the form, and stops what would not end.
{{ swing_costs(ref('interactions_train'), recency='position') }}
