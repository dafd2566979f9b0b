-- models/evaluation/paired_differences.sql: by how much each arm beats what it must beat, user by user, and how sure that is. An arm is a recommender
-- with an augmentation; paired_bootstrap (udfs/statistics.py) draws users together with the ranks that both arms give to their target.
{% set last_cutoff = 20 %}
{% set segments = entries('segments') | selectattr('enabled') | list %}
with arms as (
    select distinct recommender, augmentation from {{ ref('target_ranks_all') }}
),

comparisons as (
    select arm.recommender, arm.augmentation, other.augmentation as against, other.recommender as other_recommender, other.augmentation as other_augmentation
    from arms as arm
    inner join arms as other on other.recommender = arm.recommender
    where
        (arm.augmentation = 'llm_i2i' and other.augmentation <> 'llm_i2i')
        or (arm.augmentation = 'llm_i2i_others' and other.augmentation = 'none')
    union all
    select {{ recommender_name(main_recommender()) }}, 'llm_i2i', 'best_without_language_model', recommender, 'none' from {{ ref('best_arm') }}
),

-- how many users have each pair of ranks. Past the last cutoff a rank is a miss, so the pairs stay few, however long the log.
rank_pairs as (
    select
        comparisons.recommender,
        comparisons.augmentation,
        comparisons.against,
        comparisons.other_recommender,
        comparisons.other_augmentation,
        arm.split,
        arm.is_long_tail,
        arm.is_new_user,
        arm.is_new_item,
        arm.trigger_popularity,
        {% if var('near_column', none) %}
        arm.is_near,
        {% endif %}
        case when arm.rank <= {{ last_cutoff }} then arm.rank end as rank,
        case when other.rank <= {{ last_cutoff }} then other.rank end as other_rank,
        count(*) as n_users
    from comparisons
    inner join {{ ref('target_ranks_all') }} as arm
        on arm.recommender = comparisons.recommender and arm.augmentation = comparisons.augmentation
    inner join {{ ref('target_ranks_all') }} as other
        on other.recommender = comparisons.other_recommender and other.augmentation = comparisons.other_augmentation
        and other.target_number = arm.target_number
    group by all
)

select
    tested.recommender,
    tested.augmentation,
    tested.against,
    tested.other_recommender,
    tested.other_augmentation,
    tested.split,
    tested.segment,
    tested.metric,
    tested.k,
    arm.value,
    other.value as other_value,
    tested.difference,
    tested.standard_error,
    tested.lower,
    tested.upper,
    tested.p_value,
    -- 0.1 = ten percent more.
    round(arm.value / nullif(other.value, 0) - 1, 4) as relative_gain,
    tested.n_users,
    arm.protocol
from paired_bootstrap(
    (
        select recommender, augmentation, against, other_recommender, other_augmentation, split, segment, rank, other_rank, n_users
        from rank_pairs
        cross join (select unnest({{ segments | map(attribute='name') | list }}) as segment) as segments
        where case segment {% for segment in segments %}when '{{ segment.name }}' then {{ segment.condition }} {% endfor %}end
        order by recommender, augmentation, against, split, segment, rank, other_rank
    ),
    cutoffs := [5, 10, {{ last_cutoff }}],
    resamples := {{ var('bootstrap_resamples') }},
    random_seed := {{ var('bootstrap_seed') }}
) as tested
inner join {{ ref('ranking_metrics') }} as arm
    on arm.recommender = tested.recommender and arm.augmentation = tested.augmentation
    and arm.split = tested.split and arm.segment = tested.segment and arm.metric = tested.metric and arm.k = tested.k
inner join {{ ref('ranking_metrics') }} as other
    on other.recommender = tested.other_recommender and other.augmentation = tested.other_augmentation
    and other.split = tested.split and other.segment = tested.segment and other.metric = tested.metric and other.k = tested.k
