-- models/similarity/swing.sql: the Swing under the augmented index. append: on real and synthetic events together (the paper);
-- distil: the real one, the base into which i2i_index blends the candidates (findings.md 3B).
{% if {'append': true, 'distil': false}[var('fusion')] %}
{% set pairs = swing_pairs(
    ref('fused_interactions'),
    recency='position',
    weight=none if var('synthetic_weight') == 1 else 'weight'
) %}
{{ swing_scores('(' ~ pairs ~ ')') }}
{% else %}
select
    item_id,
    related_item_id,
    score,
    item_number,
    related_item_number
from {{ ref('swing_baseline') }}
{% endif %}
