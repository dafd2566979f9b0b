-- models/controls/index_others.sql: for each fold of users an index without any synthetic pair of theirs: how the augmentation serves users it has not
-- seen. Their real events stay in, as in the index without augmentation.
{{ config(enabled=var('others_folds') is not none) }}
{% for fold in range(var('others_folds') or 1) %}
select
    cast({{ fold }} as integer) as fold,
    trigger_item_id,
    related_item_id,
    score,
    rank,
    trigger_item_number,
    related_item_number,
    trigger_item_number * {{ var('others_folds') or 1 }} + {{ fold }} as trigger_of_fold
from {{ ref('index_others_' ~ fold) }}
{{ 'union all' if not loop.last }}
{% endfor %}
