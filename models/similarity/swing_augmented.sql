-- models/similarity/swing_augmented.sql: the Swing under the augmented index. append: on real and synthetic events together (the paper);
-- distil: the real one (filtered under filter_real), to which i2i_index adds the candidates (findings.md 3B).
{% if {'append': true, 'distil': false}[var('fusion')] or is_filtering() %}
{{ swing_scores(ref('fused_swing_sums')) }}
{% else %}
select
    item_id,
    related_item_id,
    score,
    item_number,
    related_item_number
from {{ ref('swing') }}
{% endif %}
