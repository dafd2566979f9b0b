-- models/similarity/fused_pairs.sql: the sums of Swing on real and synthetic events together; what `append` trains on (the paper).
{{ config(enabled=var('fusion') == 'append') }}
{{ swing_pairs(
    ref('fused_interactions'),
    recency='position',
    weight=none if var('synthetic_weight') == 1 else 'weight'
) }}
