-- models/discriminator/candidate_signals.sql: what the discriminator reads of each proposed pair, one column a signal, all of it computed from the log
-- that the proposals were made from. To add a signal, add its column to the last select: the prompts, the bucket edges and the gradient boosting
-- ask this model for its columns. The cross-fit proposals also say whether the item was the event held out: the discriminator learns from these.
-- With var text_encoder its vectors give two signals more. `recent` is over the last five events, weighted .5^age; `last` is the last event alone; `all` is the last fifty, equally.
{{ instances([
    {
        'prefix': '', 'events': 'interactions_train', 'candidates': 'generated_interactions', 'steps': 'transitions',
        'embeddings': 'generator_embeddings', 'held_out': none,
        'sums': 'training_swing_sums' if var('daily') else 'swing_sums', 'degrees': 'training_degrees' if var('daily') else none, 'enabled': true,
    },
    {
        'prefix': 'crossfit_', 'events': 'interactions_crossfit', 'candidates': 'crossfit_generated_interactions', 'steps': 'crossfit_transitions',
        'embeddings': 'crossfit_generator_embeddings', 'held_out': 'crossfit_targets', 'sums': 'crossfit_swing_sums', 'degrees': none,
        'enabled': true,
    },
    {
        'prefix': 'whole_', 'events': 'interactions', 'candidates': 'whole_generated_interactions', 'steps': 'whole_transitions',
        'embeddings': 'whole_generator_embeddings', 'held_out': none,
        'sums': 'whole_training_swing_sums' if var('daily') else 'whole_swing_sums', 'degrees': 'whole_training_degrees' if var('daily') else none,
        'enabled': serves_whole_log(),
    },
], name='{prefix}candidate_signals') }}
{{ config(frozen=var('daily') and held_out is not none, enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
with degrees as (
    {%- if degrees %}
    select
        item_number,
        degree
    from {{ ref(degrees) }}
    {%- else %}
    select
        item_number,
        count(*) as degree
    from {{ ref(events) }}
    group by item_number
    {%- endif %}
),

history_events as (
    select
        user_number,
        item_number as trigger_number,
        count(*) over (partition by user_number) as history_length,
        row_number() over (partition by user_number order by position desc) - 1 as age
    from {{ ref(events) }}
    qualify row_number() over (partition by user_number order by position desc) <= 50
),

behaviour as (
    select
        item_number,
        related_item_number,
        (user_pairs + {{ double(0.1) }} * self_terms) / sqrt(cast(degree as double) * related_degree) as swing,
        n_common_users / sqrt(cast(degree as double) * related_degree) as cosine
    from {{ ref(sums) }}
),

related as (
    select item_number as trigger_number, related_item_number as item_number, swing, cosine from behaviour
    union all
    select related_item_number, item_number, swing, cosine from behaviour
),

text_related as (
    select item_number as trigger_number, related_item_number as item_number, score from {{ ref('text_neighbours') }}
),

expanded as (
    select
        candidates.user_number,
        candidates.item_number,
        history_events.age,
        history_events.trigger_number,
        history_events.history_length,
        case when history_events.age < 5 then power({{ double(0.5) }}, history_events.age) else {{ double(0) }} end as weight
    from {{ ref(candidates) }} as candidates
    inner join history_events on history_events.user_number = candidates.user_number
),

sums as (
    select
        expanded.user_number,
        expanded.item_number,
        max(expanded.history_length) as history_length,
        sum(expanded.weight * coalesce(related.swing, 0)) as swing_recent,
        sum(coalesce(related.cosine, 0)) as cosine_all,
        sum(expanded.weight * coalesce(transitions.score, 0)) as transition_recent,
        sum(case when expanded.age = 0 then coalesce(transitions.score, 0) else 0 end) as transition_last,
        sum(expanded.weight * coalesce(text_related.score, 0)) as text_recent,
        sum(case when expanded.age = 0 then coalesce(text_related.score, 0) else 0 end) as text_last,
        sum(coalesce(text_related.score, 0)) as text_all
    from expanded
    left join related on related.trigger_number = expanded.trigger_number and related.item_number = expanded.item_number
    left join {{ ref(steps) }} as transitions
        on transitions.item_number = expanded.trigger_number and transitions.next_item_number = expanded.item_number
    left join text_related
        on text_related.trigger_number = expanded.trigger_number and text_related.item_number = expanded.item_number
    group by expanded.user_number, expanded.item_number
),

embedded as (
    select
        expanded.user_number,
        expanded.item_number,
        sum(expanded.weight * {{ dot_product('trigger_embedding.embedding', 'embedding.embedding') }}) as embedding_recent,
        sum(
            case when expanded.age = 0 then {{ dot_product('trigger_embedding.embedding', 'embedding.embedding') }} else 0 end
        ) as embedding_last
        {%- if var('text_encoder') is not none %},
        -- unknown, and so 0, where one of the two has no text.
        sum(expanded.weight * coalesce({{ dot_product('trigger_vector.embedding', 'text_vector.embedding') }}, 0)) as encoder_recent,
        sum(case when expanded.age = 0 then coalesce({{ dot_product('trigger_vector.embedding', 'text_vector.embedding') }}, 0) else 0 end) as encoder_last
        {%- endif %}
    from expanded
    inner join {{ ref(embeddings) }} as trigger_embedding on trigger_embedding.item_number = expanded.trigger_number
    inner join {{ ref(embeddings) }} as embedding on embedding.item_number = expanded.item_number
    {%- if var('text_encoder') is not none %}
    left join {{ ref('text_vectors') }} as trigger_vector on trigger_vector.item_number = expanded.trigger_number
    left join {{ ref('text_vectors') }} as text_vector on text_vector.item_number = expanded.item_number
    {%- endif %}
    where expanded.age < 5
    group by expanded.user_number, expanded.item_number
)

select
    candidates.user_id,
    candidates.item_id,
    candidates.rank,
    candidates.log_probability,
    cast(candidates.rank as double) as place,
    cast(sums.history_length as double) as history_length,
    cast(coalesce(degrees.degree, 0) as double) as popularity,
    -- float32: sums in another order must fall into the same bucket.
    {{ rounded('sums.swing_recent') }} as swing_recent,
    {{ rounded('sums.cosine_all') }} as cosine_all,
    {{ rounded('sums.transition_recent') }} as transition_recent,
    {{ rounded('sums.transition_last') }} as transition_last,
    {{ rounded('sums.text_recent') }} as text_recent,
    {{ rounded('sums.text_last') }} as text_last,
    {{ rounded('sums.text_all') }} as text_all,
    {{ rounded('embedded.embedding_recent') }} as embedding_recent,
    {{ rounded('embedded.embedding_last') }} as embedding_last,
    {%- if var('text_encoder') is not none %}
    {{ rounded('embedded.encoder_recent') }} as encoder_recent,
    {{ rounded('embedded.encoder_last') }} as encoder_last,
    {%- endif %}
    candidates.generator_call,
    candidates.user_number,
    candidates.item_number
    {%- if held_out %},
    targets.item_number = candidates.item_number as is_hit
    {%- endif %}
from {{ ref(candidates) }} as candidates
{%- if held_out %}
inner join {{ ref(held_out) }} as targets on targets.user_number = candidates.user_number
{%- endif %}
inner join sums on sums.user_number = candidates.user_number and sums.item_number = candidates.item_number
inner join embedded on embedded.user_number = candidates.user_number and embedded.item_number = candidates.item_number
left join degrees on degrees.item_number = candidates.item_number
