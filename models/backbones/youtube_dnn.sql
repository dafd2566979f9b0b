-- models/backbones/youtube_dnn.sql: inner product (youtube_dnn_similarity) of YoutubeDNN's item vectors, under the augmented index: on real and synthetic events (append) or on real ones (distil).
{{ config(enabled=has_backbone('youtube_dnn') == 'true') }}
{{ backbone_similarity('youtube_dnn', augmented=true) }}
