-- models/backbones/backbone_events.sql: the events that a backbone learns from: the train part, or, augmented, what the arm with the language model
-- learns from: real and synthetic events (append), or the real ones that the filter has left.
{{ config(materialized='ephemeral') }}
{{ instances([{'suffix': '', 'enabled': true}, {'suffix': '_augmented', 'enabled': events_are_fused()}], name='backbone_events{suffix}') }}
{% set appended = suffix == '_augmented' and var('fusion') == 'append' %}
select
    user_number,
    item_number,
    position,
    {{ 'weight' if suffix == '_augmented' else double(1) ~ ' as weight' }},
    {{ 'origin' if appended else "'real' as origin" }}
from {{ ref('fused_interactions' if appended else 'real_events' if suffix == '_augmented' else 'interactions_train') }}
