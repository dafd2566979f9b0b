-- models/fusion/fused_interactions.sql: the log's train part and the kept synthetic pairs, told apart by origin (method.md 2.7).
{% set weights = {'append': double(var('synthetic_weight')), 'distil': 'synthetic.vote'} %}
with real_events as (
    select
        user_id,
        user_number,
        max(position) as last_position
    from {{ real_events() }}
    group by user_id, user_number
)

select
    user_id,
    item_id,
    'real' as origin,
    {{ 'weight' if is_filtering() else double(1) ~ ' as weight' }},
    position,
    user_number,
    item_number
from {{ real_events() }}
union all
select
    synthetic.user_id,
    synthetic.item_id,
    'synthetic' as origin,
    {{ weights[var('fusion')] }} as weight,
    -- just after the user's last train event, best first.
    real_events.last_position + synthetic.place as position,
    synthetic.user_number,
    synthetic.item_number
from {{ ref('synthetic_interactions') }} as synthetic
inner join real_events on real_events.user_number = synthetic.user_number
