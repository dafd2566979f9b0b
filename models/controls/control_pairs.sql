-- models/controls/control_pairs.sql: other pairs in place of the kept ones, as many for each user (method.md 3.4). To each kept pair of a user goes
-- one of the control's choices. The user's votes stay what they are, the largest for the first choice; only the factor for long-tail items goes with
-- the item.
{{ instances(entries('control_sets'), name='{pairs}') }}
{% set factor = double(var('long_tail_vote') or 1) %}
with kept as (
    select
        synthetic.user_number,
        synthetic.item_number,
        synthetic.vote / case when item_long_tail.is_long_tail then {{ factor }} else {{ double(1) }} end as vote
    from {{ ref('synthetic_interactions') }} as synthetic
    inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = synthetic.item_number
),

slots as (
    select
        user_number,
        vote,
        row_number() over (partition by user_number order by {{ rounded('vote') }} desc, item_number) as choice
    from kept
)

select
    users.user_id,
    item_long_tail.item_id,
    cast(slots.choice as integer) as place,
    slots.vote * case when item_long_tail.is_long_tail then {{ factor }} else {{ double(1) }} end as vote,
    choices.user_number,
    choices.item_number
from slots
inner join {{ ref(choices) }} as choices on choices.user_number = slots.user_number and choices.choice = slots.choice
inner join {{ ref('users') }} as users on users.user_number = choices.user_number
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = choices.item_number
