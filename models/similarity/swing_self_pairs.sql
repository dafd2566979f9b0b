-- models/similarity/swing_self_pairs.sql: Swing with the u = v term, which relates items that one user had in common; an arm without language model.
{{ swing_scores(ref('swing_pairs'), self_pairs=true) }}
