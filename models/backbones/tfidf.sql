-- models/backbones/tfidf.sql: TF-IDF over the items' users, under the augmented index: on real and synthetic events (append) or on real ones (distil).
{{ config(enabled=has_backbone('tfidf') == 'true') }}
{{ backbone_similarity('tfidf', augmented=true) }}
