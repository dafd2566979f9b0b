-- models/backbones/youtube_dnn_vectors.sql: the vectors YoutubeDNN learns on real and synthetic events (append) or filtered real ones.
{{ config(enabled=has_backbone('youtube_dnn') == 'true' and fuses_events() == 'true') }}
{{ youtube_dnn_vectors(augmented=true) }}
