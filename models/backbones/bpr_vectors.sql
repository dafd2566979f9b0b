-- models/backbones/bpr_vectors.sql: the vectors BPR learns on real and synthetic events (append) or filtered real ones.
{{ config(enabled=has_backbone('bpr') == 'true' and fuses_events() == 'true') }}
{{ bpr_vectors(augmented=true) }}
