-- models/evaluation/evaluation_triggers.sql: the items that query an index for each target: the most recent events before it, weighted decay ^ age
-- (method.md 5.1).
{{ instances(
    [
        {'suffix': '', 'n_triggers': var('triggers'), 'decay': var('trigger_decay'), 'description': 'The items that query the index for each target, as the protocol has it.'},
        {'suffix': '_equal', 'n_triggers': var('equal_triggers'), 'decay': 1, 'description': 'Many triggers of equal weight, for the arm swing_equal_triggers.'},
    ],
    name='evaluation_triggers{suffix}'
) }}
select
    targets.user_id,
    targets.split,
    interactions.item_id as trigger_item,
    power({{ double(decay) }}, targets.position - 1 - interactions.position) as weight,
    targets.target_number,
    interactions.item_number as trigger_item_number
from {{ ref('targets') }} as targets
inner join {{ ref('interactions') }} as interactions on interactions.user_number = targets.user_number
where
    interactions.position < targets.position
    and interactions.position >= targets.position - {{ n_triggers }}
