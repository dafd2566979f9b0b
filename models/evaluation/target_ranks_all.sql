-- models/evaluation/target_ranks_all.sql: where every arm ranks each target, and whether the target lies beside the item before it.
with ranks as (
    {% for entry in entries('arms') if entry.is_ranked and entry.enabled %}
    select recommender, augmentation, split, is_long_tail, is_new_user, is_new_item, rank, target_number from {{ ref('target_ranks_' ~ entry.arm) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    ranks.recommender,
    ranks.augmentation,
    ranks.split,
    ranks.is_long_tail,
    ranks.is_new_user,
    ranks.is_new_item,
    {% if var('near_column', none) %}
    neighbourhood.is_near,
    {% endif %}
    ranks.rank,
    ranks.target_number
from ranks
{% if var('near_column', none) %}
inner join {{ ref('target_neighbourhood') }} as neighbourhood on neighbourhood.target_number = ranks.target_number
{% endif %}
