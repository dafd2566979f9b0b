-- models/fusion/real_events.sql: the events of the log that the augmented recommenders learn from: all of the train part, or those that the filter
-- of real events has left (var filter_real).
{{ config(materialized='ephemeral') }}
select
    user_id,
    user_number,
    item_id,
    item_number,
    position,
    {% if not is_filtering() and var('event_weights') %}
    weight
from {{ ref('weighed_events') }}
    {% elif not is_filtering() %}
    {{ double(1) }} as weight
from {{ ref('interactions_train') }}
    {% else %}
    weight
from {{ ref('refined_interactions') }}
    {% endif %}
