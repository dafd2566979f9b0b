-- models/generator/item_features.sql: the heaviest terms of each item, as side features of its embedding: none for an item without text. With var
-- text_encoder_features, the main directions of its text's vector follow them, together as long as all terms of an item.
{{ config(frozen=var('daily')) }}
{%- set with_directions = var('text_encoder') is not none and var('text_encoder_features') > 0 %}
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
{%- if with_directions %},

directions as (
    select
        cast(item_id as integer) as item_number,
        [struct_pack(name := 'direction:' || place, weight := cast(embedding[place] as double)) for place in range(1, len(embedding) + 1)] as features
    from svd_embeddings(
        (select cast(item_number as varchar) as item_id from {{ ref('text_vectors') }} order by item_number),
        terms := (
            select
                cast(item_number as varchar) as item_id,
                cast(unnest(range(1, len(embedding) + 1)) as varchar) as name,
                cast(unnest(embedding) as double) as weight
            from {{ ref('text_vectors') }}
            order by item_number
        ),
        size := {{ var('text_encoder_features') }},
        random_seed := {{ var('random_seed') }}
    )
)
{%- endif %}

select
    item_numbers.item_id,
    item_numbers.item_number,
    item_numbers.item_token,
    {%- if with_directions %}
    list_concat(coalesce(kept.features, []), coalesce(directions.features, [])) as features
    {%- else %}
    coalesce(kept.features, []) as features
    {%- endif %}
from {{ ref('item_numbers') }} as item_numbers
left join kept on kept.item_number = item_numbers.item_number
{%- if with_directions %}
left join directions on directions.item_number = item_numbers.item_number
{%- endif %}
