-- models/similarity/transitions.sql: how often one item directly follows another in a user's events, divided by the root of the events of both.
-- Events of one step have no order among themselves. A pair counts what it counts in the mean over all orders that they could have (method.md 2.11), which is the
-- same in both directions: each of m events of a step directly follows each other one in 1 / m of these orders, and in 1 / (a b) of them a given one of a
-- events is the last of its step and a given one of b events the first of the next. Without ties all of these are 1.
{{ instances([
    {'prefix': '', 'events': 'interactions_train', 'enabled': true},
    {'prefix': 'crossfit_', 'events': 'interactions_crossfit', 'enabled': true},
    {'prefix': 'whole_', 'events': 'interactions', 'enabled': serves_whole_log()},
], name='{prefix}transitions') }}
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}

with events as (
    select
        user_number,
        item_number,
        step,
        count(*) over (partition by user_number, step) as n_tied
    from {{ ref(events) }}
),

ordered_events as (
    select
        user_number,
        item_number,
        step,
        cast(n_tied as double) as n_tied
    from events
    where n_tied <= {{ var('max_tied_events') }}
),

steps as (
    select
        first_event.item_number,
        next_event.item_number as next_item_number,
        1 / (first_event.n_tied * next_event.n_tied) as share
    from ordered_events as first_event
    inner join ordered_events as next_event
        on next_event.user_number = first_event.user_number and next_event.step = first_event.step + 1
    union all
    select
        first_event.item_number,
        next_event.item_number as next_item_number,
        1 / first_event.n_tied as share
    from ordered_events as first_event
    inner join ordered_events as next_event
        on next_event.user_number = first_event.user_number and next_event.step = first_event.step
    where first_event.n_tied > 1 and next_event.item_number <> first_event.item_number
),

degrees as (
    select
        item_number,
        count(*) as degree
    from {{ ref(events) }}
    group by item_number
),

counts as (
    select
        item_number,
        next_item_number,
        -- float32: parts added in another order must give the same sum; whole numbers stay whole.
        {{ rounded('sum(share)') }} as n_steps
    from steps
    group by item_number, next_item_number
)

select
    counts.item_number,
    counts.next_item_number,
    counts.n_steps / sqrt(cast(degrees.degree as double) * next_degrees.degree) as score
from counts
inner join degrees on degrees.item_number = counts.item_number
inner join degrees as next_degrees on next_degrees.item_number = counts.next_item_number
