-- models/controls/control_pairs.sql: other pairs in place of the kept ones, as many for each user (method.md 3.4). To each kept pair of a user goes
-- one of the control's choices. The user's votes stay what they are, the largest for the first choice.
{{ instances(entries('control_sets'), name='{pairs}') }}
with slots as (
    select
        user_number,
        vote,
        row_number() over (partition by user_number order by {{ rounded('vote') }} desc, item_number) as choice
    from {{ ref('synthetic_interactions') }}
)

select
    users.user_id,
    item_numbers.item_id,
    cast(slots.choice as integer) as place,
    slots.vote,
    choices.user_number,
    choices.item_number
from slots
inner join {{ ref(choices) }} as choices on choices.user_number = slots.user_number and choices.choice = slots.choice
inner join {{ ref('users') }} as users on users.user_number = choices.user_number
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = choices.item_number
