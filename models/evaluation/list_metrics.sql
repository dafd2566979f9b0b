-- models/evaluation/list_metrics.sql: what the first ten items of an arm's lists are like, beside whether they hit: how much of the catalogue they
-- show, how novel, alike and popular they are, and whether items that nobody had met are found (method.md 4.1). list_metrics_<arm> has the rows of
-- one arm that ranks by an index, list_metrics those of all.
-- A list is what target_ranks_<arm> ranks, up to the tenth place, for a seeded sample of users: every candidate needs its score for that.
{{ instances(list_metrics_tables(), name='{table}') }}
{% set k = 10 %}
{% if not arm %}
{% for one in list_metrics_tables() if one.arm and one.enabled %}
select recommender, augmentation, split, metric, k, value, n_users, protocol from {{ ref(one.table) }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% else %}
with seeded_targets as (
    select
        target_number,
        user_number,
        split,
        position,
        {{ draw_seed(['user_number'], var('bootstrap_seed')) }} as seed
    from {{ ref('targets') }}
),

sampled_targets as (
    select
        target_number,
        user_number,
        split,
        position
    from seeded_targets
    qualify row_number() over (partition by split order by {{ scrambled('seed') }}, user_number) <= {{ var('list_metrics_users') }}
),

candidates as (
    select
        triggers.target_number,
        related.related_item_number as item_number,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from {{ ref(triggers) }} as triggers
    inner join sampled_targets on sampled_targets.target_number = triggers.target_number
    inner join {{ ref(ranked_by or 'index_' ~ arm) }} as related on related.{{ trigger_key }} = triggers.trigger_item_number
    group by triggers.target_number, related.related_item_number
),

recommended as (
    select
        candidates.target_number,
        candidates.item_number
    from candidates
    {{ join_competitors('candidates') }}
    {% if var('exclude_seen') %}
    inner join sampled_targets on sampled_targets.target_number = candidates.target_number
    left join {{ ref('interactions') }} as seen
        on seen.user_number = sampled_targets.user_number
        and seen.item_number = candidates.item_number
        and seen.position < sampled_targets.position
    where seen.item_number is null
    {% endif %}
    qualify row_number() over (partition by candidates.target_number order by candidates.score desc, candidates.item_number) <= {{ k }}
),

-- a pair of user and item is one event, so these are the users who met the item, too.
item_events as (
    select item_number, count(*) as n_events from {{ ref('interactions_train') }} group by item_number
),

lists as (
    select
        recommended.target_number,
        count(*) as n_items,
        -- an item without events counts as met by one user.
        avg(-log2(coalesce(item_events.n_events, 1) / cast((select count(distinct user_number) from {{ ref('interactions_train') }}) as double))) as novelty,
        avg(cast(coalesce(item_events.n_events, 0) as double)) as popularity
    from recommended
    left join item_events on item_events.item_number = recommended.item_number
    group by recommended.target_number
),

{% if var('items') %}
-- By the items' texts. The square of the sum of a list's vectors is the sum over all pairs of its items, each item with itself included; that part
-- is taken off again.
list_terms as (
    select
        recommended.target_number,
        terms.name,
        sum(terms.weight) as weight,
        sum(terms.weight * terms.weight) as own_square
    from recommended
    inner join {{ ref('item_terms') }} as terms on terms.item_number = recommended.item_number
    group by recommended.target_number, terms.name
),

list_similarities as (
    select target_number, sum(weight * weight - own_square) as similarity from list_terms group by target_number
),
{% else %}
-- Without texts, by the items' users. A pair that the table lacks has no user in common.
list_similarities as (
    select
        first_item.target_number,
        sum(cosine.score) as similarity
    from recommended as first_item
    inner join recommended as second_item on second_item.target_number = first_item.target_number
    inner join {{ ref('cosine') }} as cosine
        on cosine.item_number = first_item.item_number and cosine.related_item_number = second_item.item_number
    group by first_item.target_number
),
{% endif %}

histories as (
    select
        sampled_targets.target_number,
        sampled_targets.split,
        avg(cast(coalesce(item_events.n_events, 0) as double)) as popularity
    from sampled_targets
    inner join {{ ref('interactions') }} as met
        on met.user_number = sampled_targets.user_number and met.position < sampled_targets.position
    left join item_events on item_events.item_number = met.item_number
    group by sampled_targets.target_number, sampled_targets.split
),

means as (
    select
        histories.split,
        avg(lists.novelty) as novelty,
        -- a list of one item has no diversity.
        avg(case when lists.n_items > 1 then 1 - coalesce(similarities.similarity, 0) / (lists.n_items * (lists.n_items - 1)) else 0 end) as diversity,
        avg(lists.popularity) as popularity,
        avg(histories.popularity) as history_popularity,
        count(*) as n_users
    from lists
    inner join histories on histories.target_number = lists.target_number
    left join list_similarities as similarities on similarities.target_number = lists.target_number
    group by histories.split
),

coverages as (
    select
        sampled_targets.split,
        count(distinct recommended.item_number) / cast((select count(*) from {{ ref('item_numbers') }}) as double) as coverage,
        count(distinct recommended.target_number) as n_users
    from recommended
    inner join sampled_targets on sampled_targets.target_number = recommended.target_number
    group by sampled_targets.split
),

-- This needs ranks alone, so it is of all targets.
new_items as (
    select
        ranks.split,
        avg(case when ranks.rank <= {{ k }} then cast(1 as double) else 0 end) as hit_rate,
        count(*) as n_users
    from {{ ref('target_ranks_' ~ arm) }} as ranks
    inner join {{ ref('targets') }} as targets on targets.target_number = ranks.target_number
    left join item_events on item_events.item_number = targets.item_number
    where item_events.item_number is null
    group by ranks.split
),

metrics as (
    select split, 'coverage' as metric, coverage as value, n_users from coverages
    union all
    select split, 'novelty' as metric, novelty as value, n_users from means
    union all
    select split, 'diversity' as metric, diversity as value, n_users from means
    union all
    select split, 'average_popularity' as metric, popularity as value, n_users from means
    union all
    select split, 'popularity_lift' as metric, popularity / nullif(history_popularity, 0) - 1 as value, n_users from means
    union all
    select split, 'new_item_hit_rate' as metric, hit_rate as value, n_users from new_items
)

select
    {{ recommender_name(recommender) }} as recommender,
    '{{ augmentation }}' as augmentation,
    split,
    metric,
    cast({{ k }} as integer) as k,
    -- sums of doubles differ in the last bits from run to run.
    round(value, 9) as value,
    cast(n_users as integer) as n_users,
    {{ protocol_label() }} as protocol
from metrics
{% endif %}
