-- models/backbones/bm25_baseline.sql: BM25 over the items' users, on real data only.
{{ config(enabled=has_backbone('bm25') == 'true') }}
{{ backbone_similarity('bm25', augmented=false) }}
