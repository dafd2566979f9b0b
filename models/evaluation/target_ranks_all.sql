-- models/evaluation/target_ranks_all.sql: where every arm ranks each target, how popular the item before the target is, and whether the target lies
-- beside that item in the order of ids.
with ranks as (
    {% for entry in entries('arms') if entry.is_ranked and entry.enabled %}
    select recommender, augmentation, split, is_long_tail, is_new_user, is_new_item, rank, target_number from {{ ref('target_ranks_' ~ entry.arm) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

item_events as (
    select item_number, count(*) as n_events from {{ ref('interactions_train') }} group by item_number
),

-- items of equal counts stay together, so that no item's class hangs on its number.
item_popularity as (
    select
        item_number,
        sum(n_events) over (order by n_events) - sum(n_events) over (partition by n_events) as n_events_of_rarer_items,
        sum(n_events) over () as n_events_of_all_items
    from item_events
),

-- the most recent trigger of a target is the event before it. One that the train part lacks is as rare as can be.
recent_triggers as (
    select
        targets.target_number,
        case
            when 3 * popularity.n_events_of_rarer_items >= 2 * popularity.n_events_of_all_items then 'popular'
            when 3 * popularity.n_events_of_rarer_items >= popularity.n_events_of_all_items then 'common'
            else 'rare'
        end as trigger_popularity
    from {{ ref('targets') }} as targets
    inner join {{ ref('interactions') }} as latest
        on latest.user_number = targets.user_number and latest.position = targets.position - 1
    left join item_popularity as popularity on popularity.item_number = latest.item_number
)

select
    ranks.recommender,
    ranks.augmentation,
    ranks.split,
    ranks.is_long_tail,
    ranks.is_new_user,
    ranks.is_new_item,
    recent_triggers.trigger_popularity,
    {% if var('near_column', none) %}
    neighbourhood.is_near,
    {% endif %}
    ranks.rank,
    ranks.target_number
from ranks
inner join recent_triggers on recent_triggers.target_number = ranks.target_number
{% if var('near_column', none) %}
inner join {{ ref('target_neighbourhood') }} as neighbourhood on neighbourhood.target_number = ranks.target_number
{% endif %}
