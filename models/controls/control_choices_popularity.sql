-- models/controls/control_choices_popularity.sql: the control popularity: for each user items drawn in proportion to their events.
{{ config(materialized='ephemeral', enabled='popularity' in var('controls')) }}
with draw_numbers as (
    -- more than are needed: a draw that repeats, or that the user knows, is passed over.
    select unnest(range(3 * {{ var('candidates_per_user') }} + 20)) as draw
),

seeded as (
    select
        users.user_number,
        draw_numbers.draw,
        {{ draw_seed(['users.user_number', 'draw_numbers.draw'], var('random_seed') + 2) }} as seed
    from {{ ref('users') }} as users
    cross join draw_numbers
),

draws as (
    select
        user_number,
        draw,
        {{ scrambled('seed') }} % (select count(*) from {{ ref('interactions_train') }}) as event_number
    from seeded
),

-- an item is drawn as often as it has events.
events as (
    select
        item_number,
        row_number() over (order by user_number, position) - 1 as event_number
    from {{ ref('interactions_train') }}
),

popular as (
    select
        draws.user_number,
        events.item_number,
        min(draws.draw) as draw
    from draws
    inner join events on events.event_number = draws.event_number
    group by draws.user_number, events.item_number
)

select
    popular.user_number,
    popular.item_number,
    row_number() over (partition by popular.user_number order by popular.draw) as choice
from popular
left join {{ ref('interactions_train') }} as train
    on train.user_number = popular.user_number and train.item_number = popular.item_number
where train.item_number is null
