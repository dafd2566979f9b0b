-- models/discriminator/negative_attempts.sql: which sampler (var negative_sampler; method.md 2.3) each draw goes to, and two seeded numbers for each of its
-- twelve attempts. A draw that goes to the uniform sampler needs none.
{{ config(materialized='ephemeral', enabled=draws_negatives() and negative_shares() != {'uniform': 1.0}) }}
with sampler_seeds as (
    select
        user_number,
        position,
        draw,
        {{ draw_seed(['user_number', 'position', 'draw'], var('random_seed') + 3) }} as seed
    from {{ ref('uniform_negatives') }}
),

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
)

select
    user_number,
    position,
    draw,
    sampler,
    attempt,
    {{ scrambled('seed') }} as number,
    {{ scrambled('second_seed') }} as second_number
from attempt_seeds
