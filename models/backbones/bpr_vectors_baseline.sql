-- models/backbones/bpr_vectors_baseline.sql: the vectors BPR learns on real events.
{{ config(enabled=has_backbone('bpr') == 'true') }}
{{ bpr_vectors(augmented=false) }}
