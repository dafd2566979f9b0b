-- models/backbones/bpr_baseline.sql: angle of BPR's item factors, on real data only.
{{ config(enabled=has_backbone('bpr') == 'true') }}
{{ backbone_similarity('bpr', augmented=false) }}
