-- models/index/i2i_index_baseline.sql: the index of the var recommender without augmentation.
{{ top_related(recommender_similarity(var('recommender'))) }}
