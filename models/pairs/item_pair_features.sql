-- models/pairs/item_pair_features.sql: the item pairs worth a judgement and what the pair discriminator reads of each, one column a signal, all of it
-- computed from one log and the generators fitted on it. Item pairs, unlike a user's candidates, hold for every user who comes by, so that the
-- index built from them keeps its recall when the last event is one that no model has seen. To add a signal, add its column to the last select.
-- Candidates are the best `pair_candidates` of each item by the generators, text, cosine, co-occurrence and steps between events. With var text_encoder
-- its neighbours are candidates too, and the cosine of its vectors is a signal, but not of the judges of what SQL alone knows.
-- The list item_pair_features (models/pairs/part.yml and other parts) says of which log and which generators.
{{ instances(entries('item_pair_features'), name='{features}') }}
{%- set encoder = var('text_encoder') is not none and generators | length > 0 %}
{%- set generators = generators if var('second_generator') else generators | reject('equalto', 'second_') | list %}
with degrees as (
    select item_number, count(*) as degree from {{ ref(events) }} group by item_number
),

one_way as (
    select
        item_number,
        related_item_number,
        {{ rounded('n_common_users / sqrt(cast(degree as double) * related_degree)') }} as cosine,
        {{ rounded('n_common_users / power(cast(degree as double) * related_degree, 0.25)') }} as cooccurrence,
        {{ rounded('user_pairs + ' ~ double(0.1) ~ ' * self_terms') }} as swing
    from {{ ref(sums) }}
),

behaviour as (
    select item_number, related_item_number, cosine, cooccurrence, swing from one_way
    union all
    select related_item_number, item_number, cosine, cooccurrence, swing from one_way
),

-- one event follows another at a distance of one, two or three places, and counts 1, 1/2 or 1/3. Events of one step have no order among themselves: a pair
-- counts what it counts in the mean over all orders that they could have (method.md 2.12). So what stands at such distances between two steps, or within
-- one, is shared out equally among the pairs of their events. Without ties that is the pair itself.
tied_events as (
    select
        user_number,
        item_number,
        position,
        step,
        count(*) over (partition by user_number, step) as n_tied
    from {{ ref(events) }}
),

step_pairs as (
    select
        first_event.user_number,
        first_event.step,
        next_event.step as next_step,
        sum(1 / cast(next_event.position - first_event.position as double))
        / max(first_event.n_tied * (next_event.n_tied - case when next_event.step = first_event.step then 1 else 0 end)) as share
    from tied_events as first_event
    inner join tied_events as next_event
        on next_event.user_number = first_event.user_number
        and next_event.position > first_event.position
        and next_event.position <= first_event.position + 3
    where first_event.n_tied <= {{ var('max_tied_events') }} and next_event.n_tied <= {{ var('max_tied_events') }}
    group by first_event.user_number, first_event.step, next_event.step
),

steps as (
    select
        first_event.item_number,
        next_event.item_number as related_item_number,
        {{ rounded('sum(step_pairs.share)') }} as follows
    from step_pairs
    inner join tied_events as first_event
        on first_event.user_number = step_pairs.user_number and first_event.step = step_pairs.step
    inner join tied_events as next_event
        on next_event.user_number = step_pairs.user_number and next_event.step = step_pairs.next_step
    where next_event.item_number <> first_event.item_number
    group by first_event.item_number, next_event.item_number
),

text_related as (
    select item_number, related_item_number, {{ rounded('score') }} as text from {{ ref('text_neighbours') }}
),

-- each ranking once: it says what is a candidate, and what is near.
by_text as (
    select
        item_number,
        related_item_number,
        text,
        text / sum(text) over (partition by item_number) as share,
        row_number() over (partition by item_number order by text desc, related_item_number) as place
    from text_related
),

by_cosine as (
    select
        item_number,
        related_item_number,
        cosine,
        row_number() over (partition by item_number order by cosine desc, related_item_number) as place
    from behaviour
),

sources as (
    {%- for which in generators %}
    select
        item_number,
        related_item_number
    from {{ ref(prefix ~ which ~ 'generated_item_pairs') }}
    where rank <= {{ var('pair_candidates') }}
    union
    {%- endfor %}
    {%- for relation in ['by_cosine', 'by_text'] %}
    select
        item_number,
        related_item_number
    from {{ relation }}
    where place <= {{ var('pair_candidates') }}
    {{- '
    union' if not loop.last }}
    {%- endfor %}
    {%- if encoder %}
    union
    select
        item_number,
        related_item_number
    from {{ ref('encoder_neighbours') }}
    qualify row_number() over (partition by item_number order by score desc, related_item_number) <= {{ var('pair_candidates') }}
    {%- endif %}
    {%- for relation, score in [('behaviour', 'cooccurrence'), ('steps', 'follows')] %}
    union
    select
        item_number,
        related_item_number
    from {{ relation }}
    qualify row_number() over (partition by item_number order by {{ score }} desc, related_item_number) <= {{ var('pair_candidates') }}
    {%- endfor %}
),

-- apart from the other signals: joined together, every row would carry its embeddings through all their joins.
candidates as (
    select
        sources.item_number,
        sources.related_item_number{{ ',' if generators }}
        {%- if encoder %}
        coalesce({{ rounded(dot_product('text_vectors.embedding', 'related_text_vectors.embedding')) }}, 0) as encoder_cosine,
        {%- endif %}
        {%- for which in generators %}
        {{ rounded(dot_product(which ~ 'embedding.embedding', which ~ 'related_embedding.embedding')) }} as {{ which }}embedding_cosine{{ ',' if not loop.last }}
        {%- endfor %}
    from sources
    {%- for which in generators %}
    inner join {{ ref(prefix ~ which ~ 'generator_embeddings') }} as {{ which }}embedding on {{ which }}embedding.item_number = sources.item_number
    inner join {{ ref(prefix ~ which ~ 'generator_embeddings') }} as {{ which }}related_embedding on {{ which }}related_embedding.item_number = sources.related_item_number
    {%- endfor %}
    {%- if encoder %}
    left join {{ ref('text_vectors') }} as text_vectors on text_vectors.item_number = sources.item_number
    left join {{ ref('text_vectors') }} as related_text_vectors on related_text_vectors.item_number = sources.related_item_number
    {%- endif %}
    where sources.item_number <> sources.related_item_number
),

-- two steps: what is taken with the items of like text, and the items of like text of what is taken.
near_text as (
    select
        item_number,
        related_item_number,
        share
    from by_text
    where place <= 20
),

near_behaviour as (
    select
        item_number,
        related_item_number,
        cosine
    from by_cosine
    where place <= 20
),

text_then_taken as (
    select
        near_text.item_number,
        near_behaviour.related_item_number,
        {{ rounded('sum(near_text.share * near_behaviour.cosine)') }} as text_then_taken
    from near_text
    inner join near_behaviour on near_behaviour.item_number = near_text.related_item_number
    group by near_text.item_number, near_behaviour.related_item_number
),

taken_then_text as (
    select
        near_behaviour.item_number,
        near_text.item_number as related_item_number,
        {{ rounded('sum(near_behaviour.cosine * near_text.share)') }} as taken_then_text
    from near_behaviour
    inner join near_text on near_text.related_item_number = near_behaviour.related_item_number
    group by near_behaviour.item_number, near_text.item_number
)

select
    candidates.item_number,
    candidates.related_item_number,
    {%- for which in generators %}
    -- 0: not among those the generator names.
    coalesce({{ which }}generated.log_probability, 0) as {{ which }}log_probability,
    candidates.{{ which }}embedding_cosine,
    {%- endfor %}
    {%- if encoder %}
    candidates.encoder_cosine,
    {%- endif %}
    coalesce(behaviour.cosine, 0) as cosine,
    coalesce(behaviour.cooccurrence, 0) as cooccurrence,
    coalesce(behaviour.swing, 0) as swing,
    coalesce(steps.follows, 0) as follows,
    coalesce(reverse_steps.follows, 0) as precedes,
    coalesce(text_related.text, 0) as text,
    coalesce(text_then_taken.text_then_taken, 0) as text_then_taken,
    coalesce(taken_then_text.taken_then_text, 0) as taken_then_text,
    cast(coalesce(related_degrees.degree, 0) as double) as popularity,
    cast(coalesce(degrees.degree, 0) as double) as trigger_popularity
from candidates
{%- for which in generators %}
left join {{ ref(prefix ~ which ~ 'generated_item_pairs') }} as {{ which }}generated
    on {{ which }}generated.item_number = candidates.item_number and {{ which }}generated.related_item_number = candidates.related_item_number
{%- endfor %}
left join behaviour
    on behaviour.item_number = candidates.item_number and behaviour.related_item_number = candidates.related_item_number
left join steps
    on steps.item_number = candidates.item_number and steps.related_item_number = candidates.related_item_number
left join steps as reverse_steps
    on reverse_steps.item_number = candidates.related_item_number and reverse_steps.related_item_number = candidates.item_number
left join text_related
    on text_related.item_number = candidates.item_number and text_related.related_item_number = candidates.related_item_number
left join text_then_taken
    on text_then_taken.item_number = candidates.item_number and text_then_taken.related_item_number = candidates.related_item_number
left join taken_then_text
    on taken_then_text.item_number = candidates.item_number and taken_then_text.related_item_number = candidates.related_item_number
left join degrees on degrees.item_number = candidates.item_number
left join degrees as related_degrees on related_degrees.item_number = candidates.related_item_number
