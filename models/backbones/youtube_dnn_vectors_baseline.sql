-- models/backbones/youtube_dnn_vectors_baseline.sql: the vectors YoutubeDNN learns on real events.
{{ config(enabled=has_backbone('youtube_dnn') == 'true') }}
{{ youtube_dnn_vectors(augmented=false) }}
