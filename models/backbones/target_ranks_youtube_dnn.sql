-- models/backbones/target_ranks_youtube_dnn.sql: where YoutubeDNN ranks each target.
{{ config(enabled=has_backbone_arm('youtube_dnn') == 'true') }}
{{ recommender_target_ranks('youtube_dnn', 'none', ref('index_youtube_dnn')) }}
