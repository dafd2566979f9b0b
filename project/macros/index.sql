{# The `index_size` best related items of each trigger item. Ranked on rounded scores, ties by item id, so that a rerun gives the same index. #}
{% macro top_related(similarity, index_size=var('index_size')) -%}
with ranked as (
    select
        item_id,
        related_item_id,
        {{ rounded('score') }} as score,
        item_number,
        related_item_number,
        row_number() over (partition by item_number order by {{ rounded('score') }} desc, related_item_number) as rank
    from {{ similarity }}
)
select
    item_id as trigger_item_id,
    related_item_id,
    cast(score as double) as score,
    cast(rank as integer) as rank,
    item_number as trigger_item_number,
    related_item_number
from ranked
where rank <= {{ index_size }}
{%- endmacro %}
