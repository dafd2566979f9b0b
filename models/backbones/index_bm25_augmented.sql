-- models/backbones/index_bm25_augmented.sql: the augmented index of BM25; with recommender bm25, i2i_index is it.
{{ config(enabled=has_backbone_arm('bm25') == 'true') }}
{{ top_related(recommender_similarity('bm25', augmented=true)) }}
