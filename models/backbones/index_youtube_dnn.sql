-- models/backbones/index_youtube_dnn.sql: the index of YoutubeDNN; with recommender youtube_dnn, i2i_index_baseline is it.
{{ config(enabled=has_backbone_arm('youtube_dnn') == 'true') }}
{{ top_related(recommender_similarity('youtube_dnn')) }}
