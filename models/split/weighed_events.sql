-- models/split/weighed_events.sql: the events that models learn from with what each counts for, by the kinds of events in the log (vars event_column and
-- event_weights). A user's events with one item count as the weightiest of them, up to the user's last event in this part of the log: that something was
-- bought after the events held out is not known before.
{{ instances([
    {'weighed': 'weighed_events', 'events': 'interactions_train', 'enabled': true, 'frozen': false, 'tags': ['no_language_model']},
    {
        'weighed': 'crossfit_weighed_events', 'events': 'interactions_crossfit', 'enabled': var('discriminator') == 'signals',
        'frozen': var('daily'), 'tags': ['crossfit'],
    },
    {'weighed': 'whole_weighed_events', 'events': 'interactions', 'enabled': serves_whole_log(), 'frozen': false, 'tags': ['whole_log']},
], name='{weighed}') }}
{{ config(enabled=enabled and var('event_weights') | length > 0, frozen=frozen) }}
{%- for kind, weight in var('event_weights').items() if weight is not number or weight is boolean or weight <= 0 %}
    {{- exceptions.raise_compiler_error("event_weights has " ~ weight ~ " for " ~ kind ~ ": a weight is a number above 0; leave a kind out of event_kinds to read none of it") }}
{%- endfor %}
with last_steps as (
    select
        user_number,
        max(step) as last_step
    from {{ ref(events) }}
    group by user_number
),

-- Events between two steps of a user, which repeat an item, are known from the step before them.
log_steps as (
    select
        log.user_id,
        log.item_id,
        case
            {%- for kind, weight in var('event_weights').items() %}
            when log.event_kind = {{ quote_literal(kind) }} then {{ double(weight) }}
            {%- endfor %}
            else {{ double(1) }}
        end as weight,
        max(interactions.step) over (
            partition by log.user_id
            order by log.order_value
            range between unbounded preceding and current row
        ) as step
    from {{ ref('log_events') }} as log
    left join {{ ref('first_events') }} as first_events
        on first_events.user_id = log.user_id and first_events.item_id = log.item_id and first_events.order_value = log.order_value
    left join {{ ref('interactions') }} as interactions
        on interactions.user_id = first_events.user_id and interactions.item_id = first_events.item_id
    where log.problem is null
)

select
    events.user_id,
    events.item_id,
    events.position,
    max(log_steps.weight) as weight,
    events.user_number,
    events.item_number
from {{ ref(events) }} as events
inner join last_steps on last_steps.user_number = events.user_number
inner join log_steps
    on log_steps.user_id = events.user_id and log_steps.item_id = events.item_id and log_steps.step <= last_steps.last_step
group by events.user_id, events.item_id, events.position, events.user_number, events.item_number
