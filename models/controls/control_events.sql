-- models/controls/control_events.sql: fusion append: the real events, and the pairs of a control as events just after them.
{{ config(materialized='ephemeral') }}
{{ instances(entries('appended_sets'), name='{appended_events}') }}
with last_events as (
    select
        user_number,
        max(position) as position
    from {{ ref('interactions_train') }}
    group by user_number
)

select
    user_number,
    item_number,
    position,
    weight,
    origin
from {{ ref('fused_interactions') }}
where origin = 'real'
union all
select
    pairs.user_number,
    pairs.item_number,
    last_events.position + pairs.place as position,
    {{ double(var('synthetic_weight')) }} as weight,
    'synthetic' as origin
from {{ ref(pairs) }} as pairs
inner join last_events on last_events.user_number = pairs.user_number
{% if users %}
where pairs.{{ users }}
{% endif %}
