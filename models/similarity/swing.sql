-- models/similarity/swing.sql: the Swing under the augmented index. append: on real and synthetic events together (the paper);
-- distil: on real events, the base into which i2i_index blends the candidates (findings.md 3B).
{% if {'append': true, 'distil': false}[var('fusion')] %}
{% set pairs = swing_pairs(
    ref('fused_interactions'),
    recency='position',
    weight=none if var('synthetic_weight') == 1 else 'weight'
) %}
{{ swing_scores('(' ~ pairs ~ ')') }}
{% else %}
{{ swing_scores(
    ref('swing_pairs'),
    self_pairs=true,
    self_pair_weight=var('distil_self_pair_weight'),
    degree_exponent=var('distil_degree_exponent')
) }}
{% endif %}
