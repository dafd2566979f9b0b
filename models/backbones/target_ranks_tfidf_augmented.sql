-- models/backbones/target_ranks_tfidf_augmented.sql: where TF-IDF with synthetic interactions ranks each target.
{{ config(enabled=has_backbone_arm('tfidf') == 'true') }}
{{ recommender_target_ranks('tfidf', 'llm_i2i', ref('index_tfidf_augmented')) }}
