{# What the discriminator on histories answers No (var negative_sampler; method.md 2.3). All draws are seeded; none is an item of the user's train part,
   which any sampler may hit by chance only in what is held out: leaving that out would tell the model what is held out. #}

{# Shares of the samplers by name, adding up to 1. #}
{% macro negative_shares() -%}
{%- set shares = var('negative_mixture') if var('negative_sampler') == 'mixture' else {var('negative_sampler'): 1} -%}
{%- for name, share in shares.items() -%}
    {%- if name not in ['uniform', 'popularity', 'same_category', 'swing_neighbour', 'generator'] -%}
        {{ exceptions.raise_compiler_error("sampler '" ~ name ~ "' in var negative_mixture is none of uniform, popularity, same_category, swing_neighbour, generator") }}
    {%- endif -%}
    {%- if share is not number or share is boolean or share <= 0 -%}
        {{ exceptions.raise_compiler_error("the share of '" ~ name ~ "' in var negative_mixture is " ~ share ~ "; write a number above 0") }}
    {%- endif -%}
{%- endfor -%}
{%- if not shares -%}
    {{ exceptions.raise_compiler_error("var negative_mixture is empty; give each sampler a share, as in {uniform: 0.7, swing_neighbour: 0.3}") }}
{%- endif -%}
{%- for name, share in shares.items() -%}
{{ name }}={{ share / shares.values() | sum }}{{ ' ' }}
{%- endfor -%}
{%- endmacro %}

{# CTEs that end in `drawn` (user_number, position, draw, item_number); need a CTE `positives` before them. #}
{% macro negative_draws() -%}
{%- set shares = negative_shares().split() -%}
{%- set only_uniform = shares == ['uniform=1.0'] -%}
-- A negative is uniform over the items outside the user's train part, exactly: draw r among as many places as there are such items, then
-- step over the user's own items. The user's k-th item (0-based, ascending) lies at or below the r-th other one if item - k <= r.
own_items as (
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
    from positives
    cross join draw_numbers
    inner join own_counts on own_counts.user_number = positives.user_number
    where own_counts.n_other_items > 0
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

{{ 'drawn' if only_uniform else 'uniform_drawn' }} as (
    select
        draws.user_number,
        draws.position,
        draws.draw,
        draws.place + count(own_items.place) as item_number
    from draws
    left join own_items on own_items.user_number = draws.user_number and own_items.place <= draws.place
    group by draws.user_number, draws.position, draws.draw, draws.place
)
{%- if not only_uniform -%}
,
{{ sampled_draws(shares) }}
{%- endif -%}
{%- endmacro %}

{# The samplers other than uniform: a few attempts each, the first that the user does not know; the uniform draw where all of them fail. #}
{% macro sampled_draws(shares) -%}
sampler_seeds as (
    select
        user_number,
        position,
        draw,
        {{ draw_seed(['user_number', 'position', 'draw'], var('random_seed') + 3) }} as seed
    from uniform_drawn
),

samplers as (
    select
        user_number,
        position,
        draw,
        case
            {%- set cumulative = namespace(share=0.0) %}
            {%- for entry in shares %}
            {%- set cumulative.share = cumulative.share + entry.split('=')[1] | float %}
            when {{ 'true' if loop.last else scrambled('seed') ~ ' < ' ~ (cumulative.share * 2147483647) | int }} then '{{ entry.split('=')[0] }}'
            {%- endfor %}
        end as sampler
    from sampler_seeds
),

attempt_seeds as (
    select
        samplers.user_number,
        samplers.position,
        samplers.draw,
        samplers.sampler,
        attempts.attempt,
        {{ draw_seed(['samplers.user_number', 'samplers.position', 'samplers.draw', 'attempts.attempt'], var('random_seed') + 4) }} as seed,
        {{ draw_seed(['samplers.user_number', 'samplers.position', 'samplers.draw', 'attempts.attempt'], var('random_seed') + 5) }} as second_seed
    from samplers
    cross join (select unnest(range(12)) as attempt) as attempts
    where samplers.sampler <> 'uniform'
),

attempts as (
    select
        user_number,
        position,
        draw,
        sampler,
        attempt,
        {{ scrambled('seed') }} as number,
        {{ scrambled('second_seed') }} as second_number
    from attempt_seeds
),
{% for entry in shares if entry.split('=')[0] != 'uniform' %}
{{ negative_sampler(entry.split('=')[0]) }},
{% endfor %}
sampled as (
    {% for entry in shares if entry.split('=')[0] != 'uniform' %}
    {% if not loop.first %}
    union all
    {% endif %}
    select user_number, position, draw, attempt, item_number from {{ entry.split('=')[0] }}_samples
    {% endfor %}
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
),

drawn as (
    select
        uniform_drawn.user_number,
        uniform_drawn.position,
        uniform_drawn.draw,
        coalesce(first_unseen.item_number, uniform_drawn.item_number) as item_number
    from uniform_drawn
    left join first_unseen
        on first_unseen.user_number = uniform_drawn.user_number
        and first_unseen.position = uniform_drawn.position
        and first_unseen.draw = uniform_drawn.draw
)
{%- endmacro %}

{# CTEs of one sampler that end in `<sampler>_samples`: for each of its attempts an item, or none. #}
{% macro negative_sampler(sampler) -%}
{%- if sampler == 'popularity' -%}
-- ~ events ^ 0.75: the item of a random event, accepted with probability events ^ -0.25.
popularity_pool as (
    select
        item_number,
        row_number() over (order by user_number, position) - 1 as place,
        power(cast(count(*) over (partition by item_number) as double), {{ double(-0.25) }}) as acceptance
    from {{ ref('interactions_train') }}
),

popularity_samples as (
    select
        attempts.user_number,
        attempts.position,
        attempts.draw,
        attempts.attempt,
        pool.item_number
    from attempts
    inner join popularity_pool as pool on pool.place = attempts.number % (select count(*) from {{ ref('interactions_train') }})
    where attempts.sampler = 'popularity' and attempts.second_number < pool.acceptance * 2147483647
)
{%- elif sampler == 'same_category' -%}
-- the category of the observed item.
same_category_pool as (
    select
        item_number,
        category,
        row_number() over (partition by category order by item_number) - 1 as place,
        count(*) over (partition by category) as n_items
    from {{ ref('items') }}
    where category is not null
),

same_category_samples as (
    select
        attempts.user_number,
        attempts.position,
        attempts.draw,
        attempts.attempt,
        pool.item_number
    from attempts
    inner join positives on positives.user_number = attempts.user_number and positives.position = attempts.position
    inner join same_category_pool as observed on observed.item_number = positives.item_number
    inner join same_category_pool as pool on pool.category = observed.category and pool.place = attempts.number % observed.n_items
    where attempts.sampler = 'same_category'
)
{%- elif sampler == 'swing_neighbour' -%}
-- one of the last five items before, then one of its neighbours; the very first ranks are left out: too many of them are bought yet.
swing_neighbour_pool as (
    select
        trigger_item_number,
        related_item_number as item_number,
        row_number() over (partition by trigger_item_number order by rank) - 1 as place,
        count(*) over (partition by trigger_item_number) as n_items
    from {{ ref('index_swing') }}
    where rank between 20 and 200
),

swing_neighbour_sizes as (
    select distinct
        trigger_item_number,
        n_items
    from swing_neighbour_pool
),

swing_neighbour_samples as (
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
    inner join swing_neighbour_sizes as sizes on sizes.trigger_item_number = history.item_number
    inner join swing_neighbour_pool as pool
        on pool.trigger_item_number = sizes.trigger_item_number and pool.place = attempts.number % sizes.n_items
    where attempts.sampler = 'swing_neighbour'
)
{%- else -%}
-- what the generator expects of the user, which is not in his train part.
generator_sizes as (
    select
        user_number,
        max(rank) as n_items
    from {{ ref('generated_interactions') }}
    group by user_number
),

generator_samples as (
    select
        attempts.user_number,
        attempts.position,
        attempts.draw,
        attempts.attempt,
        pool.item_number
    from attempts
    inner join generator_sizes as sizes on sizes.user_number = attempts.user_number
    inner join {{ ref('generated_interactions') }} as pool
        on pool.user_number = attempts.user_number and pool.rank = 1 + attempts.number % sizes.n_items
    where attempts.sampler = 'generator'
)
{%- endif -%}
{%- endmacro %}
