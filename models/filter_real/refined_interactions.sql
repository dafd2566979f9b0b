-- models/filter_real/refined_interactions.sql: the real pairs the augmented recommender learns from.
select
    decisions.user_id,
    decisions.item_id,
    cast(row_number() over (partition by decisions.user_number order by decisions.position) - 1 as integer) as position,
    decisions.weight{{ ' * weighed.weight' if var('event_weights') }} as weight,
    decisions.user_number,
    decisions.item_number
from {{ ref('filter_decisions') }} as decisions
{%- if var('event_weights') %}
inner join {{ ref('weighed_events') }} as weighed
    on weighed.user_number = decisions.user_number and weighed.item_number = decisions.item_number
{%- endif %}
where decisions.decision <> 'dropped'
