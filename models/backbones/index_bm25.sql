-- models/backbones/index_bm25.sql: the index of BM25; with recommender bm25, i2i_index_baseline is it.
{{ config(enabled=has_backbone_arm('bm25') == 'true') }}
{{ top_related(recommender_similarity('bm25')) }}
