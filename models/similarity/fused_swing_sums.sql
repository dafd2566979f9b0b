-- models/similarity/fused_swing_sums.sql: the sums of Swing on what the augmented recommender learns from: real and synthetic events together under append (the
-- paper); the filtered real ones under distil.
{{ config(enabled=var('fusion') == 'append' or is_filtering()) }}
{{ swing_sums(
    ref('fused_interactions') if var('fusion') == 'append' else real_events(),
    recency='position',
    costs=ref('swing_costs'),
    weight=fused_weight()
) }}
