-- models/backbones/index_tfidf.sql: the index of TF-IDF; with recommender tfidf, i2i_index_baseline is it.
{{ config(enabled=has_backbone_arm('tfidf') == 'true') }}
{{ top_related(recommender_similarity('tfidf')) }}
