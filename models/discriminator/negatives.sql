-- models/discriminator/negatives.sql: what the discriminator on histories answers No, by observed pair and draw (var negative_sampler; method.md 2.3): the
-- first attempt of the draw's sampler that the user does not know, or the uniform draw where all attempts fail.
{{ config(materialized='ephemeral', enabled=draws_negatives()) }}
{% set samplers = negative_shares().keys() | reject('equalto', 'uniform') | list %}
{% if samplers %}
with sampled as (
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
    uniform_negatives.user_number,
    uniform_negatives.position,
    uniform_negatives.draw,
    coalesce(first_unseen.item_number, uniform_negatives.item_number) as item_number
from {{ ref('uniform_negatives') }} as uniform_negatives
left join first_unseen
    on first_unseen.user_number = uniform_negatives.user_number
    and first_unseen.position = uniform_negatives.position
    and first_unseen.draw = uniform_negatives.draw
{% else %}
select
    user_number,
    position,
    draw,
    item_number
from {{ ref('uniform_negatives') }}
{% endif %}
