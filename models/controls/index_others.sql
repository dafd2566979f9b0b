-- models/controls/index_others.sql: for each fold of users an index without any synthetic pair of theirs: how the augmentation serves users it has not
-- seen. Their real events stay in, as in the index without augmentation.
{{ config(enabled=var('others_folds') is not none, tags=['controls']) }}
{% for fold in range(var('others_folds') or 0) %}
{%- set others = 'user_number % ' ~ var('others_folds') ~ ' <> ' ~ fold %}
{%- if not loop.first %}
union all
{% endif -%}
select
    cast({{ fold }} as integer) as fold,
    trigger_item_id,
    related_item_id,
    score,
    rank,
    trigger_item_number,
    related_item_number
from (
    {{ top_related(similarity_with_pairs(ref('synthetic_interactions'), users=others)) | indent(4) }}
) as fold_{{ fold }}
{% endfor %}
