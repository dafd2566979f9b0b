-- models/backbones/target_ranks_bm25.sql: where BM25 ranks each target.
{{ config(enabled=has_backbone_arm('bm25') == 'true') }}
{{ recommender_target_ranks('bm25', 'none', ref('index_bm25')) }}
