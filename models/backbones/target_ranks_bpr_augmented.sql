-- models/backbones/target_ranks_bpr_augmented.sql: where BPR with synthetic interactions ranks each target.
{{ config(enabled=has_backbone_arm('bpr') == 'true') }}
{{ recommender_target_ranks('bpr', 'llm_i2i', ref('index_bpr_augmented')) }}
