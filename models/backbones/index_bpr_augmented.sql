-- models/backbones/index_bpr_augmented.sql: the augmented index of BPR; with recommender bpr, i2i_index is it.
{{ config(enabled=has_backbone_arm('bpr') == 'true') }}
{{ top_related(recommender_similarity('bpr', augmented=true)) }}
