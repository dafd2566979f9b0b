-- models/history/negatives.sql: only with discriminator: history, filter_real or llm_cf. what the discriminator on histories answers No: for each observed pair of the train part with a history,
-- `negative_ratio` items outside the user's train part (var negative_sampler; method.md 2.3). An item is the first attempt of the draw's sampler
-- (sampled_negatives.sql) that the user does not know, or one drawn uniformly where the sampler is uniform or all of its attempts fail.
-- All draws are seeded. What is held out may be drawn by chance: leaving it out would tell the model what is held out.
{{ config(materialized='ephemeral', enabled=draws_negatives()) }}
{%- set samplers = negative_shares().keys() | reject('equalto', 'uniform') | list %}
-- A draw is uniform over the items outside the user's train part, exactly: draw r among as many places as there are such items, then
-- step over the user's own items. The user's k-th item (0-based, ascending) lies at or below the r-th other one if item - k <= r.
with own_items as (
    select
        user_number,
        item_number - (row_number() over (partition by user_number order by item_number) - 1) as place
    from {{ ref('interactions_train') }}
),

own_counts as (
    select
        user_number,
        (select count(*) from {{ ref('item_numbers') }}) - count(*) as n_other_items
    from {{ ref('interactions_train') }}
    group by user_number
),

draw_numbers as (
    select unnest(range(1, {{ var('negative_ratio') }} + 1)) as draw
),

seeds as (
    select
        positives.user_number,
        positives.position,
        draw_numbers.draw,
        own_counts.n_other_items,
        {{ draw_seed(['positives.user_number', 'positives.position', 'draw_numbers.draw'], var('random_seed')) }} as seed
    from {{ ref('interactions_train') }} as positives
    cross join draw_numbers
    inner join own_counts on own_counts.user_number = positives.user_number
    -- the first item of a user has no history.
    where positives.position >= 1 and own_counts.n_other_items > 0
),

mixed as (
    select
        user_number,
        position,
        draw,
        n_other_items,
        ({{ scrambled('seed') }} + position * 7919 + draw) % 2147483647 as seed
    from seeds
),

draws as (
    select
        user_number,
        position,
        draw,
        {{ scrambled('seed') }} % n_other_items as place
    from mixed
),

uniform as (
    select
        draws.user_number,
        draws.position,
        draws.draw,
        draws.place + count(own_items.place) as item_number
    from draws
    left join own_items on own_items.user_number = draws.user_number and own_items.place <= draws.place
    group by draws.user_number, draws.position, draws.draw, draws.place
)
{%- if samplers %},

sampled as (
    {%- for sampler in samplers %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        user_number,
        position,
        draw,
        attempt,
        item_number
    from {{ ref(sampler ~ '_negatives') }}
    {%- endfor %}
),

first_unseen as (
    select
        sampled.user_number,
        sampled.position,
        sampled.draw,
        sampled.item_number
    from sampled
    left join {{ ref('interactions_train') }} as train
        on train.user_number = sampled.user_number and train.item_number = sampled.item_number
    where train.item_number is null
    qualify row_number() over (partition by sampled.user_number, sampled.position, sampled.draw order by sampled.attempt) = 1
)

select
    uniform.user_number,
    uniform.position,
    uniform.draw,
    coalesce(first_unseen.item_number, uniform.item_number) as item_number
from uniform
left join first_unseen
    on first_unseen.user_number = uniform.user_number
    and first_unseen.position = uniform.position
    and first_unseen.draw = uniform.draw
{%- else %}

select
    user_number,
    position,
    draw,
    item_number
from uniform
{%- endif %}
