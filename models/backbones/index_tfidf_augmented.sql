-- models/backbones/index_tfidf_augmented.sql: the augmented index of TF-IDF; with recommender tfidf, i2i_index is it.
{{ config(enabled=has_backbone_arm('tfidf') == 'true') }}
{{ top_related(recommender_similarity('tfidf', augmented=true)) }}
