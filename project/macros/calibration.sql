{# Every scored candidate of a user with a target, once per split: a hit if it is the target. Candidates come from the train part alone. #}
{% macro judged_candidates() -%}
select
    targets.split,
    target_items.is_long_tail,
    scored.item_number = targets.item_number as is_hit,
    scored.confidence,
    scored.log_probability,
    scored.user_number,
    scored.item_number
from {{ ref('scored_interactions') }} as scored
inner join {{ ref('targets') }} as targets on targets.user_number = scored.user_number
inner join {{ ref('item_long_tail') }} as target_items on target_items.item_number = targets.item_number
{%- endmacro %}
