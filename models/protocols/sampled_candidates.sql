-- models/protocols/sampled_candidates.sql: protocol sampled99: each target and 99 items its user never met, or all of them where there are fewer.
-- Each target has an order of its own of all items, and takes the first it may: a permutation of the numbers below `half` squared (at least the items),
-- computed number by number (a Feistel network), so that only as many are looked at as are needed.
{{ config(enabled=var('protocol') == 'sampled99') }}
with sizes as (
    select
        count(*) as n_items,
        cast(power(2, ceil(log2(cast(count(*) as double)) / 2)) as bigint) as half
    from {{ ref('item_numbers') }}
),

keys as (
    select
        targets.target_number,
        targets.user_number,
        users.n_interactions as n_met,
        {%- for round in [1, 2, 3, 4] %}
        {{ draw_seed(['targets.target_number'], var('random_seed') + 2 + round) }} as seed_{{ round }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('targets') }} as targets
    inner join {{ ref('users') }} as users on users.user_number = targets.user_number
),

placed as (
    select
        keys.*,
        sizes.n_items,
        sizes.half,
        -- 170 where 99 are wanted: fewer than 99 among them is beyond chance, and a data test says so. Never more than all.
        unnest(range(
            least(sizes.half * sizes.half, 64 + 170 * sizes.half * sizes.half // greatest(1, sizes.n_items - keys.n_met))
        )) as place
    from keys
    cross join sizes
),

round_0 as (
    select
        target_number,
        user_number,
        {%- for round in [1, 2, 3, 4] %}
        {{ scrambled('seed_' ~ round) }} as key_{{ round }},
        {%- endfor %}
        n_items,
        half,
        place,
        place // half as high_half,
        place % half as low_half
    from placed
),

{%- for round in [1, 2, 3, 4] %}

round_{{ round }} as (
    select
        target_number,
        user_number,
        key_1,
        key_2,
        key_3,
        key_4,
        n_items,
        half,
        place,
        low_half as high_half,
        (high_half + {{ scrambled('seed') }}) % half as low_half
    from (select *, (low_half * 48271 + key_{{ round }}) % 2147483647 as seed from round_{{ round - 1 }}) as seeded
),
{%- endfor %}

unmet as (
    select
        drawn.target_number,
        drawn.item_number,
        row_number() over (partition by drawn.target_number order by drawn.place) as draw
    from (
        select
            target_number,
            user_number,
            place,
            cast(high_half * half + low_half as integer) as item_number
        from round_4
        where high_half * half + low_half < n_items
    ) as drawn
    left join {{ ref('interactions') }} as met
        on met.user_number = drawn.user_number and met.item_number = drawn.item_number
    where met.item_number is null
)

select
    target_number,
    item_number,
    false as is_target
from unmet
where draw <= 99
union all
select
    target_number,
    item_number,
    true as is_target
from {{ ref('targets') }}
