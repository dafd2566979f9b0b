-- models/pairs/scored_item_pairs.sql: how likely somebody who has just taken an item takes the related one next. The var `judge` says who judges: the small
-- language model that `item_pair_discriminator` has trained, or a logistic regression or gradient boosting, which are fitted here on the same rows and
-- signals. All learn from hits and misses that weigh alike, so their margins are then moved by the log odds of a hit in labelled_item_pairs, and the
-- confidence is a calibrated probability. held_out_item_pairs are the labelled pairs of the users from whom the judge has not learned.
-- The part attribution adds a judge of what SQL alone knows.
{{ instances(entries('item_pair_scores'), name='{scored}') }}
{{ config(frozen=var('daily') and held_out) }}
{%- set scored_by = reference or var('judge') %}
{%- set signals = [] if scored_by == 'small' else signals_of(labelled) %}
with pairs as (
    select
        {%- if held_out %}
        signals.user_number,
        signals.is_hit,
        {%- endif %}
        {%- if scored_by == 'small' %}
        {{ signals_prompt('item_pair_features') }} as prompt,
        {%- endif %}
        signals.item_number,
        signals.related_item_number
    from {{ ref(rows) }} as signals
    {%- if scored_by == 'small' %}
    cross join {{ ref('item_pair_bucket_edges') }} as cuts
    {%- endif %}
    {%- if held_out %}
    where signals.fold = 0
    {%- endif %}
),

{% if scored_by == 'small' %}
answers as (
    select
        *,
        score_interaction(
            prompt,
            model := (select any_value(checkpoint) from {{ ref('item_pair_discriminator') }})
        ) as answer
    from pairs
),
{% else %}
fitted as (
    select
        item_number,
        related_item_number,
        margin
    from judge_scores(
        (
            select is_hit, balanced_weight as weight, {{ signals | join(', ') }} from {{ ref(labelled) }}
            where fold > 1 order by user_number, item_number, related_item_number
        ),
        validation := (
            select is_hit, balanced_weight as weight, {{ signals | join(', ') }} from {{ ref(labelled) }}
            where fold = 1 order by user_number, item_number, related_item_number
        ),
        candidates := (
            {#- several users may have taken the item: its pairs are judged once. #}
            select {{ 'distinct ' if held_out }}item_number, related_item_number, {{ signals | join(', ') }} from {{ ref(rows) }}
            {{ 'where fold = 0 ' if held_out }}order by item_number, related_item_number
        ),
        judge := '{{ scored_by }}',
        random_seed := {{ var('random_seed') }}
    )
),

answers as (
    select
        pairs.*,
        struct_pack(margin := fitted.margin) as answer
    from pairs
    inner join fitted on fitted.item_number = pairs.item_number and fitted.related_item_number = pairs.related_item_number
),
{% endif %}

prior as (
    select {{ rounded('ln(sum(case when is_hit then weight else 0 end) / sum(case when is_hit then 0 else weight end))') }} as log_odds
    from {{ ref(labelled) }}
),

scored as (
    select
        answers.*,
        answers.answer.margin + prior.log_odds as margin
    from answers
    cross join prior
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    1 / (1 + exp(-scored.margin)) as confidence,
    scored.margin,
    {%- if held_out %}
    scored.user_number,
    scored.is_hit,
    {%- endif %}
    scored.item_number,
    scored.related_item_number
from scored
inner join {{ ref('item_numbers') }} as items on items.item_number = scored.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = scored.related_item_number
