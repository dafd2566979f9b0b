-- models/evidence/judged.sql: what a discriminator has judged and the targets decide: a hit if it is the target.
{{ config(materialized='ephemeral') }}
{{ instances(
    [
        {'judged': 'judged_candidates', 'enabled': true},
        {'judged': 'judged_targets', 'enabled': var('discriminator') == 'signals' and var('fusion') == 'distil'},
    ],
    name='{judged}'
) }}
{% if judged == 'judged_candidates' %}
-- every scored candidate of a user with a target, once for each split. The candidates come from the train part alone.
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
inner join {{ ref('evaluation_long_tail') }} as target_items on target_items.item_number = targets.item_number
{% if boosting %}
inner join {{ ref('gradient_boosting') }} as boosted
    on boosted.user_number = scored.user_number and boosted.item_number = scored.item_number
{% endif %}
{% else %}
-- the scored item pairs of the event before each target. No model has seen the event before a test target.
select
    targets.split,
    target_items.is_long_tail,
    scored.related_item_number = targets.item_number as is_hit,
    scored.margin as confidence,
    signals.embedding_cosine,
    signals.cosine
from {{ ref('targets') }} as targets
inner join {{ ref('interactions') }} as triggers
    on triggers.user_number = targets.user_number and triggers.position = targets.position - 1
inner join {{ ref('scored_item_pairs') }} as scored on scored.item_number = triggers.item_number
inner join {{ ref('item_pair_features') }} as signals
    on signals.item_number = scored.item_number and signals.related_item_number = scored.related_item_number
inner join {{ ref('evaluation_long_tail') }} as target_items on target_items.item_number = targets.item_number
left join {{ ref('interactions') }} as seen
    on seen.user_number = targets.user_number
    and seen.item_number = scored.related_item_number
    and seen.position < targets.position
where seen.item_number is null and not targets.is_new_user
{% endif %}
