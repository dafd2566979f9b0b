-- models/backbones/target_ranks_tfidf.sql: where TF-IDF ranks each target.
{{ config(enabled=has_backbone_arm('tfidf') == 'true') }}
{{ recommender_target_ranks('tfidf', 'none', ref('index_tfidf')) }}
