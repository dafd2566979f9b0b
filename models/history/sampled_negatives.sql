-- models/history/sampled_negatives.sql: only with discriminator: history, filter_real or llm_cf. the items that a sampler other than the uniform one (var negative_sampler; method.md 2.3) names for each draw
-- that goes to it: twelve attempts, each with two seeded numbers. An attempt may name an item that the user knows, or none; negatives chooses among them.
{{ instances([
    {'sampler': 'popularity'},
    {'sampler': 'same_category'},
    {'sampler': 'swing_neighbour'},
    {'sampler': 'generator'},
], name='{sampler}_negatives') }}
{{ config(materialized='ephemeral', enabled=draws_negatives() and sampler in negative_shares()) }}
with draw_seeds as (
    select
        positives.user_number,
        positives.position,
        draw_numbers.draw,
        {{ draw_seed(['positives.user_number', 'positives.position', 'draw_numbers.draw'], var('random_seed') + 3) }} as seed
    from {{ ref('interactions_train') }} as positives
    cross join (select unnest(range(1, {{ var('negative_ratio') }} + 1)) as draw) as draw_numbers
    -- the first item of a user has no history.
    where positives.position >= 1
),

-- Each draw goes to one sampler, by their shares.
samplers as (
    select
        user_number,
        position,
        draw,
        case
            {%- set cumulative = namespace(share=0.0) %}
            {%- for name, share in negative_shares().items() %}
            {%- set cumulative.share = cumulative.share + share %}
            when {{ 'true' if loop.last else scrambled('seed') ~ ' < ' ~ (cumulative.share * 2147483647) | int }} then '{{ name }}'
            {%- endfor %}
        end as sampler
    from draw_seeds
),

attempt_seeds as (
    select
        samplers.user_number,
        samplers.position,
        samplers.draw,
        numbers.attempt,
        {{ draw_seed(['samplers.user_number', 'samplers.position', 'samplers.draw', 'numbers.attempt'], var('random_seed') + 4) }} as seed,
        {{ draw_seed(['samplers.user_number', 'samplers.position', 'samplers.draw', 'numbers.attempt'], var('random_seed') + 5) }} as second_seed
    from samplers
    cross join (select unnest(range(12)) as attempt) as numbers
    where samplers.sampler = '{{ sampler }}'
),

attempts as (
    select
        user_number,
        position,
        draw,
        attempt,
        {{ scrambled('seed') }} as number,
        {{ scrambled('second_seed') }} as second_number
    from attempt_seeds
),
{% if sampler == 'popularity' %}
-- About as often as events ^ 0.75: the item of a random event, accepted with the probability events ^ -0.25.
pool as (
    select
        item_number,
        row_number() over (order by user_number, position) - 1 as place,
        power(cast(count(*) over (partition by item_number) as double), {{ double(-0.25) }}) as acceptance
    from {{ ref('interactions_train') }}
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from attempts
inner join pool on pool.place = attempts.number % (select count(*) from {{ ref('interactions_train') }})
where attempts.second_number < pool.acceptance * 2147483647
{% elif sampler == 'same_category' %}
-- Items of the category of the observed item.
pool as (
    select
        item_number,
        category,
        row_number() over (partition by category order by item_number) - 1 as place,
        count(*) over (partition by category) as n_items
    from {{ ref('items') }}
    where category is not null
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from attempts
inner join {{ ref('interactions_train') }} as positives on positives.user_number = attempts.user_number and positives.position = attempts.position
inner join pool as observed on observed.item_number = positives.item_number
inner join pool on pool.category = observed.category and pool.place = attempts.number % observed.n_items
{% elif sampler == 'swing_neighbour' %}
-- One of the last five items before, then one of its neighbours. The very first ranks are left out: too many of these items are bought yet.
pool as (
    select
        trigger_item_number,
        related_item_number as item_number,
        row_number() over (partition by trigger_item_number order by rank) - 1 as place,
        count(*) over (partition by trigger_item_number) as n_items
    from {{ ref('index_swing') }}
    where rank between 20 and 200
),

sizes as (
    select distinct
        trigger_item_number,
        n_items
    from pool
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from attempts
inner join {{ ref('interactions_train') }} as history
    on history.user_number = attempts.user_number
    and history.position = attempts.position - 1 - attempts.second_number % least(5, attempts.position)
inner join sizes on sizes.trigger_item_number = history.item_number
inner join pool on pool.trigger_item_number = sizes.trigger_item_number and pool.place = attempts.number % sizes.n_items
{% elif sampler == 'generator' %}
-- What the generator expects of the user, none of which is in the user's train part.
sizes as (
    select
        user_number,
        max(rank) as n_items
    from {{ ref('generated_interactions') }}
    group by user_number
)

select
    attempts.user_number,
    attempts.position,
    attempts.draw,
    attempts.attempt,
    pool.item_number
from attempts
inner join sizes on sizes.user_number = attempts.user_number
inner join {{ ref('generated_interactions') }} as pool
    on pool.user_number = attempts.user_number and pool.rank = 1 + attempts.number % sizes.n_items
{% endif %}
