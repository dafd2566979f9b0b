-- models/backbones/target_ranks_youtube_dnn_augmented.sql: where YoutubeDNN with synthetic interactions ranks each target.
{{ config(enabled=has_backbone_arm('youtube_dnn') == 'true') }}
{{ recommender_target_ranks('youtube_dnn', 'llm_i2i', ref('index_youtube_dnn_augmented')) }}
