-- models/backbones/tfidf_neighbours.sql: the items most like each item by TF-IDF, itself included, on real and synthetic events (append) or filtered real ones.
{{ config(enabled=has_backbone('tfidf') == 'true' and fuses_events() == 'true') }}
{{ backbone_neighbours('tfidf', augmented=true) }}
