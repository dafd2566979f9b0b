-- models/backbones/youtube_dnn_baseline.sql: inner product (youtube_dnn_similarity) of YoutubeDNN's item vectors, on real data only.
{{ config(enabled=has_backbone('youtube_dnn') == 'true') }}
{{ backbone_similarity('youtube_dnn', augmented=false) }}
