-- models/backbones/target_ranks_bpr.sql: where BPR ranks each target.
{{ config(enabled=has_backbone_arm('bpr') == 'true') }}
{{ recommender_target_ranks('bpr', 'none', ref('index_bpr')) }}
