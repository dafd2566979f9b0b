-- models/generator/generated_interactions.sql: the items that a generator expects next for each user, those of the user's own log excluded
-- (method.md 2.5). For the train part, the cross-fit part, and each target: the last is the paper's "w/o Swing" (method.md 3.3).
{{ instances(entries('proposals'), name='{proposals}') }}
{{ config(frozen=is_frozen) }}
with calls as (
    select
        user_id,
        user_number,
        generate_items(
            prompt,
            n := {{ var('candidates_per_user') }},
            model := (select any_value(checkpoint) from {{ ref(generator) }})
        ) as candidates,
        call_key(generate_items(
            prompt,
            n := {{ var('candidates_per_user') }},
            model := (select any_value(checkpoint) from {{ ref(generator) }})
        )) as generator_call
    from {{ ref(prompts) }}
),

candidates as (
    select
        user_id,
        user_number,
        generator_call,
        unnest(candidates) as candidate
    from calls
),

unseen as (
    select
        candidates.user_id,
        candidates.user_number,
        item_numbers.item_id,
        item_numbers.item_number,
        candidates.candidate.log_probability as log_probability,
        candidates.generator_call
    from candidates
    inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_token = candidates.candidate.item_token
    -- the call leaves out the items of its prompt; this leaves out older ones too.
    left join {{ ref(events) }} as train
        on train.user_number = candidates.user_number and train.item_number = item_numbers.item_number
    where train.item_number is null
)

select
    user_id,
    item_id,
    cast(row_number() over (
        partition by user_number
        order by {{ rounded('log_probability') }} desc, item_number
    ) as integer) as rank,
    log_probability,
    generator_call,
    user_number,
    item_number
from unseen
