-- models/evaluation/evaluation_triggers.sql: the items that query an index for each target: the most recent events before it, weighted decay ^ age
-- (method.md 5.1). The list trigger_sets says how many, and whether they are numbered otherwise than by item.
{{ instances(entries('trigger_sets'), name='evaluation_triggers{suffix}') }}
select
    targets.user_id,
    targets.split,
    events.item_id as trigger_item,
    power({{ double(decay) }}, targets.position - 1 - events.position) as weight,
    targets.target_number,
    {{ number }} as trigger_item_number
from {{ ref('targets') }} as targets
inner join {{ ref(events) }} as events on events.user_number = targets.user_number
where
    events.position < targets.position
    {% if n_triggers is not none %}
    and events.position >= targets.position - {{ n_triggers }}
    {% endif %}
