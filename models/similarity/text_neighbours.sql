-- models/similarity/text_neighbours.sql: the items of most similar text: cosine of title, brand and category TF-IDF. Nothing is learned. With var text_encoder,
-- encoder_neighbours are those of the most similar vectors of a pretrained model.
{{ instances([
    {'neighbours': 'text_neighbours', 'vectors': none, 'enabled': true, 'tags': ['no_language_model']},
    {'neighbours': 'encoder_neighbours', 'vectors': 'text_vectors', 'enabled': var('text_encoder') is not none, 'tags': []},
], name='{neighbours}') }}
{% if vectors %}
with ranked as (
    select
        cast(number as integer) as item_number,
        item_number as related_item_number,
        cast({{ rounded('power(score, ' ~ double(var('text_encoder_power')) ~ ')') }} as double) as score,
        rank
    from nearest_items(
        (select item_number as number, embedding as vector, [item_number] as excluded from {{ ref(vectors) }} order by item_number),
        items := (select item_number as number, embedding as vector from {{ ref(vectors) }} order by item_number),
        n := {{ var('index_size') }},
        measure := 'cosine'
    )
    where score > 0
)
{% else %}
with terms as (
    select
        item_number,
        name,
        weight
    from {{ ref('item_terms') }}
    -- A term of very many items says little and costs its count squared.
    where n_items_with_term <= {{ var('text_max_items_per_term') }}
),

item_pairs as (
    select
        {{ packed('first_term.item_number', 'second_term.item_number') }} as item_pair,
        sum(first_term.weight * second_term.weight) as score
    from terms as first_term
    inner join terms as second_term
        on second_term.name = first_term.name and first_term.item_number < second_term.item_number
    group by item_pair
),

both_directions as (
    select
        {{ first_of('item_pair') }} as item_number,
        {{ second_of('item_pair') }} as related_item_number,
        score
    from item_pairs
    union all
    select
        {{ second_of('item_pair') }},
        {{ first_of('item_pair') }},
        score
    from item_pairs
),

ranked as (
    select
        item_number,
        related_item_number,
        score,
        row_number() over (partition by item_number order by {{ rounded('score') }} desc, related_item_number) as rank
    from both_directions
)
{% endif %}

select
    items.item_id,
    related_items.item_id as related_item_id,
    ranked.score,
    items.item_number,
    related_items.item_number as related_item_number
from ranked
inner join {{ ref('item_numbers') }} as items on items.item_number = ranked.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = ranked.related_item_number
where ranked.rank <= {{ var('index_size') }}
