-- models/generator/item_features.sql: the heaviest terms of each item, as side features of its embedding: none for an item without text.
{{ config(frozen=var('daily')) }}
with ranked as (
    select
        item_number,
        name,
        weight,
        -- float32 before ranking: equal weights must stay equal; the name breaks ties.
        row_number() over (partition by item_number order by {{ rounded('weight') }} desc, name) as place
    from {{ ref('item_terms') }}
),

kept as (
    select
        item_number,
        list(struct_pack(name := name, weight := weight) order by place) as features
    from ranked
    where place <= {{ var('feature_limit') }}
    group by item_number
)

select
    item_numbers.item_id,
    item_numbers.item_number,
    item_numbers.item_token,
    coalesce(kept.features, []) as features
from {{ ref('item_numbers') }} as item_numbers
left join kept on kept.item_number = item_numbers.item_number
