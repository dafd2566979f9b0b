-- models/filter_real/filter_decisions.sql: what happens to each real pair of the train part, and why. The user's last event and the item's most convincing one
-- always stay, and no more than filter_max_dropped of all pairs go, the least convincing first.
{% set doubtful = {
    'drop_no': 'confidence <= ' ~ double(0.5),
    'drop_below': 'confidence < ' ~ double(var('filter_min_confidence')),
}.get(var('filter_real'), 'false') %}
with judged as (
    select
        train.user_id,
        train.item_id,
        train.position,
        {{ timestamp_column('train.') }}
        scores.confidence,
        scores.margin,
        train.position = max(train.position) over (partition by train.user_number) as is_last_of_user,
        row_number() over (
            partition by train.item_number
            -- a pair that cannot be judged is never dropped, so it is the one that keeps the item.
            order by {{ rounded('scores.margin') }} desc nulls first, train.user_number
        ) = 1 as is_best_of_item,
        train.user_number,
        train.item_number
    from {{ ref('interactions_train') }} as train
    left join {{ ref('filter_scores') }} as scores
        on scores.user_number = train.user_number and scores.item_number = train.item_number
),

ordered as (
    select
        *,
        coalesce({{ doubtful }}, false) as is_doubtful,
        coalesce({{ doubtful }}, false) and not is_last_of_user and not is_best_of_item as is_droppable,
        row_number() over (
            partition by coalesce({{ doubtful }}, false) and not is_last_of_user and not is_best_of_item
            order by {{ rounded('margin') }}, user_number, item_number
        ) as place,
        count(*) over () as n_pairs
    from judged
),

decided as (
    select
        *,
        case
            when confidence is null then 'not judged'
            when is_droppable and place <= {{ double(var('filter_max_dropped')) }} * n_pairs then 'dropped'
            when is_droppable then 'kept: over the cap'
            when is_doubtful and is_last_of_user then 'kept: last of the user'
            when is_doubtful then 'kept: best of the item'
            else '{{ 'downweighted' if var('filter_real') == 'downweight' else 'kept' }}'
        end as decision
    from ordered
)

select
    user_id,
    item_id,
    position,
    {{ timestamp_column() }}
    confidence,
    margin,
    decision,
    case decision
        when 'dropped' then {{ double(0) }}
        when 'downweighted' then confidence
        else {{ double(1) }}
    end as weight,
    user_number,
    item_number
from decided
