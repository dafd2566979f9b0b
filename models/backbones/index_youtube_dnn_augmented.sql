-- models/backbones/index_youtube_dnn_augmented.sql: the augmented index of YoutubeDNN; with recommender youtube_dnn, i2i_index is it.
{{ config(enabled=has_backbone_arm('youtube_dnn') == 'true') }}
{{ top_related(recommender_similarity('youtube_dnn', augmented=true)) }}
