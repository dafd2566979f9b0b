-- models/split/crossfit_split.sql: the train part, split once more. interactions_crossfit is the train part less each user's last event, from which
-- the cross-fitted generator must guess; crossfit_targets holds those last events, on which the discriminator learns what a hit is.
{{ instances([{'events': 'interactions_crossfit'}, {'events': 'crossfit_targets'}], name='{events}') }}
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
with numbered as (
    select
        user_id,
        item_id,
        position,
        step,
        user_number,
        item_number,
        {{ held_out_unit() }} as place,
        max({{ held_out_unit() }}) over (partition by user_number) + 1 as n_places
    from {{ ref('interactions_train') }}
)

select
    user_id,
    item_id,
    position,
    step,
    user_number,
    item_number
from numbered
-- A user with one or two events (with tied_targets: step, steps) keeps them, since none can be held out.
{%- if events == 'interactions_crossfit' %}
where n_places < 3 or place < n_places - 1
{%- else %}
where n_places >= 3 and place = n_places - 1
-- Of a step that is held out as a whole, as in targets.
qualify row_number() over (partition by user_number order by position) = 1
{%- endif %}
