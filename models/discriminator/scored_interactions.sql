-- models/discriminator/scored_interactions.sql: a confidence in each generated pair. The var `judge` says whose: P(Yes) against P(No) of the small language
-- model that `discriminator` has trained (method.md 2.6), or P(hit) of a logistic regression or of gradient boosting, which are fitted here. All read the
-- same signals. All learn from hits and misses that weigh alike, so their margins are then moved by the log odds of a hit in labelled_candidates: the
-- confidence is a calibrated probability, a few percent at best, and the label is nearly always No. With discriminator: history the answer is taken as it is.
-- held_out_candidates are the labelled candidates of the users from whom the judge has not learned. The part evidence adds a reference.
{{ instances(entries('candidate_scores'), name='{scored}') }}
{{ config(frozen=var('daily') and held_out) }}
{%- set is_calibrated = var('discriminator') == 'signals' %}
{%- set scored_by = reference or (var('judge') if is_calibrated else 'small') %}
{%- set signals = [] if scored_by == 'small' else signals_of('candidate_signals') %}
with candidates as (
{% if is_calibrated %}
    select
        signals.user_id,
        signals.item_id,
        signals.rank,
        signals.log_probability,
        signals.generator_call,
        {%- if held_out %}
        signals.is_hit,
        {%- endif %}
        {%- if scored_by == 'small' %}
        {{ signals_prompt('candidate_signals') }} as prompt,
        {%- endif %}
        signals.user_number,
        signals.item_number
    from {{ ref(rows) }} as signals
    {%- if scored_by == 'small' %}
    cross join {{ ref('signal_bucket_edges') }} as cuts
    {%- endif %}
    {%- if held_out %}
    where signals.fold = 0
    {%- endif %}
{% else %}
    select
        generated.user_id,
        generated.item_id,
        generated.rank,
        generated.log_probability,
        generated.generator_call,
        {{ discriminator_prompt(
            user='generated.user_id',
            history='generator_prompts.' ~ discriminator_history(),
            candidate='item_numbers.item_token'
        ) }} as prompt,
        generated.user_number,
        generated.item_number
    from {{ ref('generated_interactions') }} as generated
    inner join {{ ref('generator_prompts') }} as generator_prompts on generator_prompts.user_number = generated.user_number
    inner join {{ products_in_prompts('discriminator') }} as item_numbers on item_numbers.item_number = generated.item_number
{% endif %}
),

{% if scored_by == 'small' %}
answers as (
    select
        *,
        score_interaction(
            prompt,
            model := (select any_value(checkpoint) from {{ ref('discriminator') }})
        ) as answer,
        call_key(score_interaction(
            prompt,
            model := (select any_value(checkpoint) from {{ ref('discriminator') }})
        )) as discriminator_call
    from candidates
),
{% else %}
fitted as (
    select
        user_number,
        item_number,
        margin
    from judge_scores(
        (select is_hit, balanced_weight as weight, {{ signals | join(', ') }} from {{ ref('labelled_candidates') }} where fold > 1 order by user_number, item_number),
        validation := (
            select is_hit, balanced_weight as weight, {{ signals | join(', ') }} from {{ ref('labelled_candidates') }} where fold = 1 order by user_number, item_number
        ),
        candidates := (
            select user_number, item_number, {{ signals | join(', ') }} from {{ ref(rows) }} {{ 'where fold = 0 ' if held_out }}order by user_number, item_number
        ),
        judge := '{{ scored_by }}',
        random_seed := {{ var('random_seed') }}
    )
),

answers as (
    select
        candidates.*,
        struct_pack(margin := fitted.margin) as answer,
        -- no language model was called.
        cast(null as varchar) as discriminator_call
    from candidates
    inner join fitted on fitted.user_number = candidates.user_number and fitted.item_number = candidates.item_number
),
{% endif %}

{% if is_calibrated %}
prior as (
    select {{ rounded('ln(sum(case when is_hit then weight else 0 end) / sum(case when is_hit then 0 else weight end))') }} as log_odds
    from {{ ref('labelled_candidates') }}
),

scored as (
    select
        answers.*,
        answers.answer.margin + prior.log_odds as margin,
        1 / (1 + exp(-(answers.answer.margin + prior.log_odds))) as confidence
    from answers
    cross join prior
)
{% else %}
scored as (
    select
        *,
        answer.margin as margin,
        answer.confidence as confidence
    from answers
)
{% endif %}

select
    user_id,
    item_id,
    rank,
    log_probability,
    confidence,
    margin,
    case when confidence > {{ double(0.5) }} then 'Yes' else 'No' end as label,
    generator_call,
    discriminator_call,
    {%- if held_out %}
    is_hit,
    {%- endif %}
    user_number,
    item_number
from scored
