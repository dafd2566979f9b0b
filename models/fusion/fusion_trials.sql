-- models/fusion/fusion_trials.sql: every blend of recommender, votes and item pairs that was tried on the validation targets, with its recall@10. A trial
-- is one combination of weights (var fusion_grid, or the one value that a var fixes). No model is called and nothing is trained: what each part gives
-- to a candidate is summed once over the target's triggers, and a trial only adds these sums up. The test part is not looked at.
-- A user's own votes are left out of the sums: they were made from the very history that the validation target follows, while a query in service, as a
-- test target, comes later, or from somebody who has no votes. With them, votes look better than they are.
-- At most fusion_targets targets are used, a seeded draw, and the best 100 items that a part relates to a trigger. The list fusions says which votes and which item pairs are blended.
{{ instances(entries('fusions'), name='{prefix}fusion_trials') }}
{%- set grid = fusion_grid(votes, item_pairs) %}
{#- The score of a candidate under the weights of a trial; `of.` stands for whose sums they are. #}
{%- set blend = rounded('(of.base + weights.distil_mu * of.votes + weights.pair_mu * of.item_pairs)
            * case when of.is_long_tail then weights.long_tail_vote else 1 end') %}
{%- set candidate_score = blend | replace('of.', 'open_pairs.') %}
{%- set target_score = blend | replace('of.', 'open_pairs.target_') %}
{%- set parts = [] %}
{%- for similarity, weight in arm_similarities(recommender, 'none').items() %}{% do parts.append(('base', similarity, weight)) %}{% endfor %}
{%- if votes %}{% do parts.append(('votes', votes, 1)) %}{% endif %}
{%- if item_pairs %}{% do parts.append(('item_pairs', item_pairs, 1)) %}{% endif %}
with parts as (
    {%- for part, similarity, weight in parts %}
    select
        '{{ part }}' as part,
        item_number,
        related_item_number,
        -- the parts have different units: each is divided by the mean, over items, of an item's best score, as in index_of_arm.
        {{ double(weight) }} * score / (
            select avg(best) from (select max(score) as best from {{ ref(similarity) }} group by item_number) as bests
        ) as score
    from {{ ref(similarity) }}
    qualify row_number() over (partition by item_number order by {{ rounded('score') }} desc, related_item_number) <= {{ [var("index_size"), 100] | min }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

related as (
    select
        item_number,
        related_item_number,
        sum(case when part = 'base' then score else 0 end) as base,
        sum(case when part = 'votes' then score else 0 end) as votes,
        sum(case when part = 'item_pairs' then score else 0 end) as item_pairs
    from parts
    group by item_number, related_item_number
),

seeded as (
    select
        targets.target_number,
        targets.user_number,
        targets.item_number,
        targets.position,
        item_long_tail.is_long_tail,
        case when item_long_tail.is_long_tail then {{ double(var('long_tail_hit')) }} else {{ double(1) }} end as worth,
        {{ draw_seed(['targets.target_number'], var('fusion_seed')) }} as seed
    from {{ ref('targets') }} as targets
    inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = targets.item_number
    where targets.split = 'validation' and not targets.is_new_user
),

drawn as (
    select *
    from seeded
    qualify row_number() over (order by {{ scrambled('seed') }}, target_number) <= {{ var('fusion_targets') }}
),

-- a target that no part relates to its triggers is a miss in every trial; its other candidates need not be summed.
reached as (
    select distinct drawn.target_number
    from drawn
    inner join {{ ref('evaluation_triggers') }} as triggers on triggers.target_number = drawn.target_number
    inner join related on related.item_number = triggers.trigger_item_number and related.related_item_number = drawn.item_number
),

sums as (
    select
        triggers.target_number,
        related.related_item_number as item_number,
        sum(triggers.weight * related.base) as base,
        sum(triggers.weight * related.votes) as votes,
        sum(triggers.weight * related.item_pairs) as item_pairs
    from {{ ref('evaluation_triggers') }} as triggers
    inner join reached on reached.target_number = triggers.target_number
    inner join related on related.item_number = triggers.trigger_item_number
    group by triggers.target_number, related.related_item_number
),

{%- if votes %}
-- the share of a target's sums that is the user's own, for each vote of the user.
own_votes as (
    select
        drawn.target_number,
        synthetic.item_number,
        any_value(synthetic.vote) * sum(triggers.weight * shares.share) as score
    from drawn
    inner join {{ ref('evaluation_triggers') }} as triggers on triggers.target_number = drawn.target_number
    inner join {{ ref(votes ~ '_shares') }} as shares
        on shares.user_number = drawn.user_number and shares.item_number = triggers.trigger_item_number
    inner join {{ ref((entries('vote_sets') | selectattr('votes', 'equalto', votes) | first).pairs) }} as synthetic
        on synthetic.user_number = drawn.user_number
    group by drawn.target_number, synthetic.item_number
),

mean_best_vote as (
    select avg(best) as score from (select max(score) as best from {{ ref(votes) }} group by item_number) as bests
),
{%- endif %}

candidates as (
    select
        sums.target_number,
        sums.item_number,
        item_long_tail.is_long_tail,
        sums.base,
        {%- if votes %}
        -- what is left of a sum without its only part is nothing, whatever its last bits say.
        case when sums.votes - coalesce(own_votes.score, 0) / mean_best_vote.score > 1e-9
            then sums.votes - coalesce(own_votes.score, 0) / mean_best_vote.score else 0 end as votes,
        {%- else %}
        sums.votes,
        {%- endif %}
        sums.item_pairs
    from sums
    {%- if votes %}
    cross join mean_best_vote
    left join own_votes on own_votes.target_number = sums.target_number and own_votes.item_number = sums.item_number
    {%- endif %}
    inner join drawn on drawn.target_number = sums.target_number
    inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = sums.item_number
    {{ join_competitors('sums') }}
    {%- if var('exclude_seen') %}
    left join {{ ref('interactions') }} as seen
        on seen.user_number = drawn.user_number
        and seen.item_number = sums.item_number
        and seen.position < drawn.position
    where seen.item_number is null
    {%- endif %}
),

-- each candidate beside the target that it competes with.
pairs as (
    select
        candidates.target_number,
        candidates.item_number < target.item_number as wins_ties,
        candidates.is_long_tail,
        candidates.base,
        candidates.votes,
        candidates.item_pairs,
        target.is_long_tail as target_is_long_tail,
        target.base as target_base,
        target.votes as target_votes,
        target.item_pairs as target_item_pairs
    from candidates
    inner join drawn on drawn.target_number = candidates.target_number
    inner join candidates as target on target.target_number = drawn.target_number and target.item_number = drawn.item_number
    where candidates.item_number <> target.item_number
),

-- most pairs need no trial: a candidate that is below the target in every part is behind it under any weights, and a target with ten candidates above
-- it in every part is a miss under any weights.
open_pairs as (
    select *
    from pairs
    where
        base > target_base or votes > target_votes or item_pairs > target_item_pairs
        or (is_long_tail and not target_is_long_tail)
        or (base = target_base and votes = target_votes and item_pairs = target_item_pairs and wins_ties)
),

hopeless as (
    select target_number
    from open_pairs
    where base > target_base and votes >= target_votes and item_pairs >= target_item_pairs and (is_long_tail or not target_is_long_tail)
    group by target_number
    having count(*) >= 10
),

-- the grid, and the recommender as it is, which every trial is compared with.
grid as (
    select
        cast(distil_mu as double) as distil_mu,
        cast(pair_mu as double) as pair_mu,
        cast(long_tail_vote as double) as long_tail_vote
    from (select unnest({{ grid.distil_mu }}) as distil_mu) as distil_mus
    cross join (select unnest({{ grid.pair_mu }}) as pair_mu) as pair_mus
    cross join (select unnest({{ grid.long_tail_vote }}) as long_tail_vote) as long_tail_votes
),

weights as (
    select
        distil_mu,
        pair_mu,
        long_tail_vote,
        max(in_grid) as in_grid,
        cast(row_number() over (order by distil_mu, pair_mu, long_tail_vote) as integer) as trial,
        distil_mu = 0 and pair_mu = 0 and long_tail_vote = 1 as is_plain,
        case when distil_mu = 0 then 0 else 1 end + case when pair_mu = 0 then 0 else 1 end + case when long_tail_vote = 1 then 0 else 1 end as n_parts
    from (
        select distil_mu, pair_mu, long_tail_vote, 1 as in_grid from grid
        union all
        select {{ double(0) }}, {{ double(0) }}, {{ double(1) }}, 0
    ) as listed
    group by distil_mu, pair_mu, long_tail_vote
),

target_scores as (
    select
        weights.trial,
        candidates.target_number,
        {{ blend | replace('of.', 'candidates.') }} as score
    from candidates
    inner join drawn on drawn.target_number = candidates.target_number and drawn.item_number = candidates.item_number
    cross join weights
),

ahead as (
    select
        weights.trial,
        open_pairs.target_number,
        count(*) as n_ahead
    from open_pairs
    cross join weights
    left join hopeless on hopeless.target_number = open_pairs.target_number
    where
        hopeless.target_number is null
        and {{ candidate_score }} >= {{ target_score }}
        and (open_pairs.wins_ties or {{ candidate_score }} > {{ target_score }})
    group by weights.trial, open_pairs.target_number
),

-- a hit: the target is related at all, and at most nine candidates are ahead of it. Ties go to the smaller item, as in target_ranks_by_index.
hits as (
    select
        target_scores.trial,
        target_scores.target_number
    from target_scores
    left join hopeless on hopeless.target_number = target_scores.target_number
    left join ahead on ahead.trial = target_scores.trial and ahead.target_number = target_scores.target_number
    where target_scores.score > 0 and hopeless.target_number is null and coalesce(ahead.n_ahead, 0) < 10
),

totals as (
    select
        cast(count(*) as double) as n_users,
        cast(sum(case when is_long_tail then 1 else 0 end) as double) as n_long_tail
    from drawn
),

-- what a trial is worth: its hits, where one on a long-tail target counts as long_tail_hit others; all over the number of targets.
counts as (
    select
        weights.trial,
        count(drawn.target_number) as n_hits,
        coalesce(sum(case when drawn.is_long_tail then 1 else 0 end), 0) as n_long_tail_hits,
        coalesce(sum(drawn.worth), 0) as worth,
        coalesce(sum(drawn.worth * drawn.worth), 0) as squared_worth
    from weights
    left join hits on hits.trial = weights.trial
    left join drawn on drawn.target_number = hits.target_number
    group by weights.trial
),

trials as (
    select
        weights.*,
        totals.n_users,
        counts.n_hits / nullif(totals.n_users, 0) as recall_all,
        counts.n_long_tail_hits / nullif(totals.n_long_tail, 0) as recall_long_tail,
        counts.worth,
        counts.squared_worth,
        -- the long-tail floor is a share of what the recommender alone has; and a judge that has learned nothing has no weight.
        weights.in_grid = 1
            {%- for weight, judge in [('distil_mu', votes_judge), ('pair_mu', pairs_judge)] if judge %}
            and (weights.{{ weight }} = 0 or (select max(case when learned then 1 else 0 end) from {{ ref('judge_learning') }} where judge = '{{ judge }}') = 1)
            {%- endfor %}
            and counts.n_long_tail_hits >= {{ double(var('long_tail_floor')) }} * max(case when weights.is_plain then counts.n_long_tail_hits end) over () as is_allowed
    from weights
    inner join counts on counts.trial = weights.trial
    cross join totals
),

best as (
    select *
    from trials
    -- where fixed weights break the floor there is nothing to choose from: they stand.
    order by is_allowed desc, in_grid desc, worth desc, n_parts, trial
    limit 1
),

-- a standard error of a difference needs what both trials hit (paired over users; method.md 2.7).
shared as (
    select
        hits.trial,
        sum(case when others.trial = best.trial then drawn.worth * drawn.worth else 0 end) as with_best,
        sum(case when others.trial = plain.trial then drawn.worth * drawn.worth else 0 end) as with_plain
    from hits
    cross join best
    inner join trials as plain on plain.is_plain
    inner join hits as others on others.target_number = hits.target_number and others.trial in (best.trial, plain.trial)
    inner join drawn on drawn.target_number = hits.target_number
    group by hits.trial
),

compared as (
    select
        trials.*,
        (best.worth - trials.worth) / trials.n_users as below_best,
        (best.squared_worth + trials.squared_worth - 2 * coalesce(shared.with_best, 0)) / trials.n_users as squares_below_best,
        (trials.worth - plain.worth) / trials.n_users as gain,
        (plain.squared_worth + trials.squared_worth - 2 * coalesce(shared.with_plain, 0)) / trials.n_users as squares_of_gain
    from trials
    cross join best
    inner join trials as plain on plain.is_plain
    left join shared on shared.trial = trials.trial
)

select
    trial,
    {{ recommender_name(recommender) }} as recommender,
    distil_mu,
    pair_mu,
    long_tail_vote,
    cast(n_parts as integer) as n_parts,
    cast(n_users as integer) as n_users,
    round(recall_all, 12) as recall_all,
    round(recall_long_tail, 12) as recall_long_tail,
    round(worth / nullif(n_users, 0), 12) as worth,
    round(below_best, 12) as below_best,
    round(sqrt(greatest(squares_below_best - below_best * below_best, 0) / nullif(n_users, 0)), 12) as below_best_error,
    round(gain, 12) as gain,
    round(sqrt(greatest(squares_of_gain - gain * gain, 0) / nullif(n_users, 0)), 12) as gain_error,
    is_allowed,
    is_plain
from compared
