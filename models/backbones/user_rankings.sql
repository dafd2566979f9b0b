-- models/backbones/user_rankings.sql: own_ranking: the items of the largest inner product with the vector of each target's user, best first.
{{ instances(entries('user_rankings'), name='{ranking}') }}
select
    number as target_number,
    item_number,
    rank
from nearest_items(
    (
        select
            targets.target_number as number,
            {% if var('exclude_seen') %}
            any_value(vectors.vector) as vector,
            list(seen.item_number order by seen.position) as excluded
            {% else %}
            vectors.vector
            {% endif %}
        from {{ ref('targets') }} as targets
        inner join {{ ref(vectors) }} as vectors
            on vectors.kind = '{{ kind }}' and vectors.number = targets.{{ 'user_number' if kind == 'user' else 'target_number' }}
        {% if var('exclude_seen') %}
        inner join {{ ref('interactions') }} as seen on seen.user_number = targets.user_number and seen.position < targets.position
        group by targets.target_number
        {% endif %}
        order by targets.target_number
    ),
    items := (select number, vector from {{ ref(vectors) }} where kind = 'item' order by number),
    n := {{ var('index_size') }}
)
