-- models/discriminator/judge_learning.sql: whether each judge has learned to tell hits from misses, by the labelled rows of users from whom it did not learn
-- (fold 0). No target of the evaluation is read. auc: how often a hit scores above a miss, ties count half. Its standard error is DeLong's, summed by
-- users, since the rows of one user are not independent; it is at least the error of scores that know nothing, as few hits may agree by luck.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{%- set judges = {'discriminator': 'held_out_candidates'} %}
{%- if var('fusion') == 'distil' %}
{%- do judges.update({'item_pair_discriminator': 'held_out_item_pairs'}) %}
{%- endif %}
with judged as (
    {%- for judge, rows in judges.items() %}
    select
        '{{ judge }}' as judge,
        user_number,
        is_hit,
        {{ rounded('margin') }} as margin
    from {{ ref(rows) }}
    {{- '
    union all' if not loop.last }}
    {%- endfor %}
),

-- hits and misses that do not score above a row, and those that score like it.
counted as (
    select
        judge,
        user_number,
        is_hit,
        sum(case when is_hit then 1 else 0 end) over (partition by judge) as n_hits,
        sum(case when is_hit then 0 else 1 end) over (partition by judge) as n_misses,
        sum(case when is_hit then 1 else 0 end) over (partition by judge order by margin) as hits_up_to,
        sum(case when is_hit then 0 else 1 end) over (partition by judge order by margin) as misses_up_to,
        sum(case when is_hit then 1 else 0 end) over (partition by judge, margin) as hits_alike,
        sum(case when is_hit then 0 else 1 end) over (partition by judge, margin) as misses_alike
    from judged
),

-- of a hit: the share of the misses that it beats; of a miss: the share of the hits that beat it. The mean of either is the AUC.
placed as (
    select
        judge,
        user_number,
        is_hit,
        n_hits,
        n_misses,
        case
            when is_hit then (misses_up_to - misses_alike / {{ double(2) }}) / n_misses
            else 1 - (hits_up_to - hits_alike / {{ double(2) }}) / n_hits
        end as placement
    from counted
    where n_hits > 0 and n_misses > 0
),

averaged as (
    select
        *,
        sum(case when is_hit then placement else 0 end) over (partition by judge) / n_hits as auc
    from placed
),

-- what each user adds to the AUC.
by_user as (
    select
        judge,
        n_hits,
        n_misses,
        auc,
        sum((placement - auc) / case when is_hit then n_hits else n_misses end) as influence
    from averaged
    group by judge, user_number, n_hits, n_misses, auc
),

measured as (
    select
        judge,
        n_hits,
        n_misses,
        round(max(auc), 12) as auc,
        round(greatest(
            sqrt(sum(influence * influence) * count(*) / greatest(count(*) - 1, 1)),
            sqrt((n_hits + n_misses + 1) / ({{ double(12) }} * n_hits * n_misses))
        ), 12) as standard_error
    from by_user
    group by judge, n_hits, n_misses
)

select
    judges.judge,
    '{{ var('judge') }}' as kind,
    measured.auc,
    measured.standard_error,
    cast(coalesce(measured.n_hits, 0) as bigint) as n_hits,
    cast(coalesce(measured.n_misses, 0) as bigint) as n_misses,
    -- a judge that nothing is known of has not shown that it learned.
    coalesce(measured.auc > 0.5 + 2 * measured.standard_error, false) as learned
from (
    {%- for judge in judges %}
    select '{{ judge }}' as judge
    {{- '
    union all' if not loop.last }}
    {%- endfor %}
) as judges
left join measured on measured.judge = judges.judge
