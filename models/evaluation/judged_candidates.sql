-- models/evaluation/judged_candidates.sql: every scored candidate of a user with a target, once for each split: a hit if it is the target. The
-- candidates come from the train part alone.
{{ config(materialized='ephemeral') }}
{% set boosting = var('gradient_boosting_reference') and var('discriminator') == 'signals' %}
select
    targets.split,
    target_items.is_long_tail,
    scored.item_number = targets.item_number as is_hit,
    scored.confidence,
    scored.log_probability,
    {% if boosting %}
    boosted.confidence as gradient_boosting,
    {% endif %}
    scored.user_number,
    scored.item_number
from {{ ref('scored_interactions') }} as scored
inner join {{ ref('targets') }} as targets on targets.user_number = scored.user_number
inner join {{ ref('item_long_tail') }} as target_items on target_items.item_number = targets.item_number
{% if boosting %}
inner join {{ ref('gradient_boosting') }} as boosted
    on boosted.user_number = scored.user_number and boosted.item_number = scored.item_number
{% endif %}
