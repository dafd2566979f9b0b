-- models/backbones/bpr.sql: angle of BPR's item factors, under the augmented index: on real and synthetic events (append) or on real ones (distil).
{{ config(enabled=has_backbone('bpr') == 'true') }}
{{ backbone_similarity('bpr', augmented=true) }}
