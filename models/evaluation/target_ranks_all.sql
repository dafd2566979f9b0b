-- models/evaluation/target_ranks_all.sql: where every arm ranks each target, and whether the target lies beside the item before it.
with ranks as (
    {%- for arm in evaluation_arms().split() %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select recommender, augmentation, split, is_long_tail, rank, target_number from {{ ref('target_ranks_' ~ arm) }}
    {%- endfor %}
)

select
    ranks.recommender,
    ranks.augmentation,
    ranks.split,
    ranks.is_long_tail,
    {% if var('near_column') %}
    neighbourhood.is_near,
    {% endif %}
    ranks.rank,
    ranks.target_number
from ranks
{% if var('near_column') %}
inner join {{ ref('target_neighbourhood') }} as neighbourhood on neighbourhood.target_number = ranks.target_number
{% endif %}
