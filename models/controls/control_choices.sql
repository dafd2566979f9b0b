-- models/controls/control_choices.sql: what each control would add for a user in place of the kept pairs, its first choice at choice 1.
{{ config(materialized='ephemeral') }}
{{ instances(
    [
        {'control': 'random_keep', 'preference': scrambled('seed') ~ ', item_number', 'enabled': 'random_keep' in var('controls')},
        {'control': 'log_probability', 'preference': 'rank', 'enabled': 'log_probability' in var('controls')},
        {'control': 'popularity', 'preference': none, 'enabled': 'popularity' in var('controls')},
        {'control': 'swing_top', 'preference': none, 'enabled': 'swing_top' in var('controls')},
    ],
    name='control_choices_{control}'
) }}
{% if control == 'popularity' %}
-- items drawn in proportion to their events.
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

{% elif control == 'swing_top' %}
-- Swing's own best items for the user (self-training).
with triggers as (
    select
        user_number,
        item_number,
        power(
            {{ double(var('trigger_decay')) }},
            row_number() over (partition by user_number order by position desc) - 1
        ) as weight
    from {{ ref('interactions_train') }}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('triggers') }}
),

scores as (
    select
        triggers.user_number,
        related.related_item_number as item_number,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from triggers
    inner join {{ ref('index_swing') }} as related on related.trigger_item_number = triggers.item_number
    group by triggers.user_number, related.related_item_number
)

select
    scores.user_number,
    scores.item_number,
    row_number() over (partition by scores.user_number order by scores.score desc, scores.item_number) as choice
from scores
left join {{ ref('interactions_train') }} as train
    on train.user_number = scores.user_number and train.item_number = scores.item_number
where train.item_number is null

{% else %}
-- the generated candidates: in a seeded order, or the most likely first.
select
    user_number,
    item_number,
    row_number() over (partition by user_number order by {{ preference }}) as choice
from (
    select
        user_number,
        item_number,
        rank,
        {{ draw_seed(['user_number', 'item_number'], var('random_seed') + 1) }} as seed
    from {{ ref('scored_interactions') }}
) as seeded

{% endif %}
