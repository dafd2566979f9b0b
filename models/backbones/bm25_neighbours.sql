-- models/backbones/bm25_neighbours.sql: the items most like each item by BM25, itself included, on real and synthetic events (append) or filtered real ones.
{{ config(enabled=has_backbone('bm25') == 'true' and fuses_events() == 'true') }}
{{ backbone_neighbours('bm25', augmented=true) }}
