-- models/split/crossfit_split.sql: the train part, split once more. interactions_crossfit is the train part less each user's last event, from which
-- the cross-fitted generator must guess; crossfit_targets holds those last events, on which the discriminator learns what a hit is.
{{ instances([{'events': 'interactions_crossfit'}, {'events': 'crossfit_targets'}], name='{events}') }}
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
with numbered as (
    select
        user_id,
        item_id,
        position,
        user_number,
        item_number,
        count(*) over (partition by user_number) as n_events
    from {{ ref('interactions_train') }}
)

select
    user_id,
    item_id,
    position,
    user_number,
    item_number
from numbered
-- A user with one or two events keeps them, since none can be held out.
{%- if events == 'interactions_crossfit' %}
where n_events < 3 or position < n_events - 1
{%- else %}
where n_events >= 3 and position = n_events - 1
{%- endif %}
