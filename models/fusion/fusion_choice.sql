-- models/fusion/fusion_choice.sql: the weights that the index is made with, one row: of the allowed trials within fusion_margin standard errors of the
-- best one, the trial with the fewest parts (the one-standard-error rule; Breiman et al. 1984). What cannot be shown to help on the validation targets
-- is left out, so that a log on which nothing was learned keeps the index of its recommender.
{{ instances(entries('fusions'), name='{prefix}fusion_choice') }}
{{ config(tags=['controls'] if prefix else ['metrics', 'conclusion']) }}
with chosen as (
    select *
    from {{ ref(prefix ~ 'fusion_trials') }}
    -- without a validation target nothing can be compared: the plain recommender, or what the vars fix.
    where is_allowed and (n_users = 0 or below_best <= {{ double(var('fusion_margin')) }} * below_best_error + 1e-12)
    order by n_parts, worth desc, trial
    limit 1
),

fixed as (
    -- no trial keeps the floor: the weights are fixed by vars.
    select *
    from {{ ref(prefix ~ 'fusion_trials') }}
    where not exists (select 1 from chosen)
    order by is_plain, trial
    limit 1
),

choice as (
    select * from chosen
    union all
    select * from fixed
),

plain as (
    select
        recall_all,
        recall_long_tail
    from {{ ref(prefix ~ 'fusion_trials') }}
    where is_plain
),

runner_up as (
    select trials.*
    from {{ ref(prefix ~ 'fusion_trials') }} as trials
    cross join choice
    where trials.is_allowed and trials.trial <> choice.trial
    order by trials.worth desc, trials.n_parts, trials.trial
    limit 1
)

select
    choice.recommender,
    choice.distil_mu,
    choice.pair_mu,
    choice.long_tail_vote,
    choice.n_users,
    choice.recall_all,
    choice.recall_long_tail,
    plain.recall_all as recommender_recall_all,
    plain.recall_long_tail as recommender_recall_long_tail,
    choice.gain,
    choice.gain_error,
    choice.below_best,
    choice.below_best_error,
    'votes ' || runner_up.distil_mu || ', item pairs ' || runner_up.pair_mu || ', long tail ' || runner_up.long_tail_vote as runner_up,
    runner_up.recall_all as runner_up_recall_all,
    runner_up.recall_long_tail as runner_up_recall_long_tail,
    'the index is ' || choice.recommender
        || case
            when choice.n_parts = 0 then ' as it is: no weight beats 0 on the validation targets'
            else ' + ' || choice.distil_mu || ' * votes + ' || choice.pair_mu || ' * item pairs, long tail * ' || choice.long_tail_vote
        end
        || case
            when choice.n_users = 0 then ' (the protocol has no validation target to choose by)'
            else ' (validation, ' || choice.n_users || ' users: recall@10 ' || round(choice.recall_all, 4) || ', of ' || choice.recommender || ' alone '
                || round(plain.recall_all, 4) || coalesce('; runner-up ' || runner_up.distil_mu || ', ' || runner_up.pair_mu || ', ' || runner_up.long_tail_vote
                || ' with ' || round(runner_up.recall_all, 4), '') || ')'
        end as message
from choice
cross join plain
left join runner_up on true
