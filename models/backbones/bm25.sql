-- models/backbones/bm25.sql: BM25 over the items' users, under the augmented index: on real and synthetic events (append) or on real ones (distil).
{{ config(enabled=has_backbone('bm25') == 'true') }}
{{ backbone_similarity('bm25', augmented=true) }}
