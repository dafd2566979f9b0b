-- models/evaluation/target_ranks_by_index.sql: where the index of each arm ranks each target: 1 = best among all items that the index relates to
-- the target's triggers, null if the target is not among them (method.md 4.1).
-- Only the target's rank is needed. So: the score of the targets that are scored at all, then the candidates of these alone, and of those the ones
-- ahead of the target. Scores are rounded first; ties go to the smaller item.
{{ instances(entries('arms') | selectattr('is_ranked') | rejectattr('lists') | list, name='target_ranks_{arm}') }}
{% set index = ref(judged_index(arm, recommender, augmentation, ranked_by)) %}
with target_scores as (
    select
        targets.target_number,
        targets.item_number,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from {{ ref(triggers) }} as triggers
    inner join {{ ref('targets') }} as targets on targets.target_number = triggers.target_number
    inner join {{ index }} as related
        on related.{{ trigger_key }} = triggers.trigger_item_number and related.related_item_number = targets.item_number
    group by targets.target_number, targets.item_number
),

candidate_scores as (
    select
        (cast(triggers.target_number as bigint) << 32) | related.related_item_number as candidate,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from {{ ref(triggers) }} as triggers
    inner join target_scores on target_scores.target_number = triggers.target_number
    inner join {{ index }} as related on related.{{ trigger_key }} = triggers.trigger_item_number
    group by candidate
),

candidates_ahead as (
    select
        target_scores.target_number,
        candidate_scores.candidate & 4294967295 as item_number
    from candidate_scores
    inner join target_scores on target_scores.target_number = candidate_scores.candidate >> 32
    where
        candidate_scores.candidate & 4294967295 <> target_scores.item_number
        and (
            candidate_scores.score > target_scores.score
            or (candidate_scores.score = target_scores.score and candidate_scores.candidate & 4294967295 < target_scores.item_number)
        )
),

counts_ahead as (
    select
        candidates_ahead.target_number,
        count(*) as n_ahead
    from candidates_ahead
    {{ join_competitors('candidates_ahead') }}
    {% if var('exclude_seen') %}
    inner join {{ ref('targets') }} as targets on targets.target_number = candidates_ahead.target_number
    left join {{ ref('interactions') }} as seen
        on seen.user_number = targets.user_number
        and seen.item_number = candidates_ahead.item_number
        and seen.position < targets.position
    where seen.item_number is null
    {% endif %}
    group by candidates_ahead.target_number
)

select
    '{{ recommender }}' as recommender,
    '{{ augmentation }}' as augmentation,
    targets.user_id,
    targets.split,
    targets.item_id,
    item_long_tail.is_long_tail,
    -- a target that no trigger relates to has no rank: a miss at every k.
    case when target_scores.target_number is not null then cast(1 + coalesce(counts_ahead.n_ahead, 0) as integer) end as rank,
    targets.target_number
from {{ ref('targets') }} as targets
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = targets.item_number
left join target_scores on target_scores.target_number = targets.target_number
left join counts_ahead on counts_ahead.target_number = targets.target_number
