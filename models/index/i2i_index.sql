-- models/index/i2i_index.sql: the augmented index. append: the recommender on real and synthetic events (the paper);
-- distil: the recommender on real events + distil_mu x distilled (findings.md 3B).
{{ top_related(recommender_similarity(var('recommender'), augmented=true)) }}
