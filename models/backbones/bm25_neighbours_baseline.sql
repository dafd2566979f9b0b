-- models/backbones/bm25_neighbours_baseline.sql: the items most like each item by BM25, itself included, on real events.
{{ config(enabled=has_backbone('bm25') == 'true') }}
{{ backbone_neighbours('bm25', augmented=false) }}
