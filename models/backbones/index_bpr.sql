-- models/backbones/index_bpr.sql: the index of BPR; with recommender bpr, i2i_index_baseline is it.
{{ config(enabled=has_backbone_arm('bpr') == 'true') }}
{{ top_related(recommender_similarity('bpr')) }}
