-- models/backbones/tfidf_neighbours_baseline.sql: the items most like each item by TF-IDF, itself included, on real events.
{{ config(enabled=has_backbone('tfidf') == 'true') }}
{{ backbone_neighbours('tfidf', augmented=false) }}
