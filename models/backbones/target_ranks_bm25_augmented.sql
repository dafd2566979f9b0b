-- models/backbones/target_ranks_bm25_augmented.sql: where BM25 with synthetic interactions ranks each target.
{{ config(enabled=has_backbone_arm('bm25') == 'true') }}
{{ recommender_target_ranks('bm25', 'llm_i2i', ref('index_bm25_augmented')) }}
