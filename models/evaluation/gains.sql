-- models/evaluation/gains.sql: what was gained over the best arm without a language model, the one that the validation targets put first: recall@10 of
-- the index on the test targets, with the interval of the difference (paired bootstrap over users). One row for all targets, one for the long tail.
with compared as (
    select
        recommender,
        other_recommender,
        split,
        segment,
        value,
        other_value,
        difference,
        lower,
        upper,
        relative_gain,
        n_users
    from {{ ref('paired_differences') }}
    where
        augmentation = 'llm_i2i' and against = 'best_without_language_model'
        and metric = 'recall' and k = 10 and segment in ('all', 'long_tail')
),

verdicts as (
    select
        *,
        case when lower > 0 then 'gain' when upper < 0 then 'loss' else 'none' end as verdict,
        case when segment = 'all' then 'all targets' else 'long-tail targets' end as targets_in_words
    from compared
    where split = 'test'
)

select
    segment,
    recommender,
    other_recommender as best_without_language_model,
    value,
    other_value,
    difference,
    lower,
    upper,
    relative_gain,
    verdict,
    n_users,
    case verdict when 'gain' then 'gained' when 'loss' then 'LOST' else 'nothing gained for sure' end
        || ' on ' || targets_in_words || ': recall@10 ' || round(value, 4) || ' against ' || round(other_value, 4) || ' of ' || other_recommender
        || ', the best without a language model ('
        || coalesce(case when difference >= 0 then '+' else '' end || round(100 * relative_gain, 1) || '%, ', '')
        || '95% interval of the difference ' || round(lower, 4) || ' to ' || round(upper, 4) || ', ' || n_users || ' users)' as message
from verdicts
order by segment
