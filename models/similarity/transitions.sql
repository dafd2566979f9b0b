-- models/similarity/transitions.sql: how often one item directly follows another in a user's events, divided by the root of the events of both.
{{ instances([
    {'prefix': '', 'events': 'interactions_train'},
    {'prefix': 'crossfit_', 'events': 'interactions_crossfit'},
], name='{prefix}transitions') }}
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}

with steps as (
    select
        item_number,
        lead(item_number) over (partition by user_number order by position) as next_item_number
    from {{ ref(events) }}
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
        count(*) as n_steps
    from steps
    where next_item_number is not null
    group by item_number, next_item_number
)

select
    counts.item_number,
    counts.next_item_number,
    counts.n_steps / sqrt(cast(degrees.degree as double) * next_degrees.degree) as score
from counts
inner join degrees on degrees.item_number = counts.item_number
inner join degrees as next_degrees on next_degrees.item_number = counts.next_item_number
