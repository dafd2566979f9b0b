-- models/index/index_swing_augmented.sql: the augmented index on Swing alone; with recommender swing, i2i_index is it.
{{ config(enabled=var('recommender') != 'swing') }}
{{ top_related(recommender_similarity('swing', augmented=true)) }}
