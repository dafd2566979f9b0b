-- models/backbones/tfidf_baseline.sql: TF-IDF over the items' users, on real data only.
{{ config(enabled=has_backbone('tfidf') == 'true') }}
{{ backbone_similarity('tfidf', augmented=false) }}
