{# LLM-I2I item by item: "who has just taken this item, what next?" The generator answers for a history of one item, text and co-occurrence
   neighbours propose too, and one discriminator on signals says how likely each pair is. What it learns from is cross-fitted by time as for
   users (signals.sql). Item pairs, unlike a user's candidates, hold for every user who comes by, so the index built from them keeps its
   recall when the last event is one that no model has seen. #}

{# The signals of a pair, in the order of its prompt; each is a column of item_pair_features. #}
{% macro item_pair_feature_list() -%}
log_probability embedding_cosine{% if var('second_generator') %} second_log_probability second_embedding_cosine{% endif %} cosine cooccurrence swing follows precedes text text_then_taken taken_then_text popularity trigger_popularity
{%- endmacro %}

{# What a generator expects after each item alone. A new item that nobody has taken gets an answer through its text. #}
{% macro generated_item_pairs(generator) -%}
with calls as (
    select
        item_number,
        generate_items(
            {{ generator_prompt(user="'unknown'", history='item_token' if product_form('generator') == 'inline' else "'1. ' || item_token") }},
            n := {{ var('pair_candidates') }},
            model := (select any_value(checkpoint) from {{ generator }})
        ) as candidates
    from {{ products_in_prompts('generator') }} as products
),

candidates as (
    select
        item_number,
        unnest(candidates) as candidate
    from calls
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    cast(row_number() over (
        partition by candidates.item_number
        order by {{ rounded('candidates.candidate.log_probability') }} desc, related_items.item_number
    ) as integer) as rank,
    candidates.candidate.log_probability as log_probability,
    candidates.item_number,
    related_items.item_number as related_item_number
from candidates
inner join {{ ref('item_numbers') }} as items on items.item_number = candidates.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_token = candidates.candidate.item_token
{%- endmacro %}

{# Unit embedding of each item in a generator's checkpoint. #}
{% macro generator_embeddings(generator) -%}
select
    item_id,
    item_number,
    token_embeddings(item_token, model := (select any_value(checkpoint) from {{ generator }})) as embedding
from {{ ref('item_numbers') }}
{%- endmacro %}

{# Item pairs worth a judgement, with a column per signal, all computed from `events` and the generator fitted on them.
   Candidates: the best `pair_candidates` of each item by the generator, text, cosine, co-occurrence and steps between events.
   `pairs` as swing_sums, `generators`: for each, its relations as generated_item_pairs and generator_embeddings, and the prefix of its signals. #}
{% macro item_pair_features(events, pairs, generators) -%}
with degrees as (
    select item_number, count(*) as degree from {{ events }} group by item_number
),

one_way as (
    select
        item_number,
        related_item_number,
        {{ rounded('n_common_users / sqrt(cast(degree as double) * related_degree)') }} as cosine,
        {{ rounded('n_common_users / power(cast(degree as double) * related_degree, 0.25)') }} as cooccurrence,
        {{ rounded('user_pairs + ' ~ double(0.1) ~ ' * self_terms') }} as swing
    from {{ pairs }}
),

behaviour as (
    select item_number, related_item_number, cosine, cooccurrence, swing from one_way
    union all
    select related_item_number, item_number, cosine, cooccurrence, swing from one_way
),

-- one event follows another at a distance of one, two or three steps.
steps as (
    select
        first_event.item_number,
        next_event.item_number as related_item_number,
        {{ rounded('sum(1 / cast(next_event.position - first_event.position as double))') }} as follows
    from {{ events }} as first_event
    inner join {{ events }} as next_event
        on next_event.user_number = first_event.user_number
        and next_event.position > first_event.position
        and next_event.position <= first_event.position + 3
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
    {%- for generated, embeddings, prefix in generators %}
    select
        item_number,
        related_item_number
    from {{ generated }}
    where rank <= {{ var('pair_candidates') }}
    {{- '
    union' if not loop.last }}
    {%- endfor %}
    {%- for relation in ['by_cosine', 'by_text'] %}
    union
    select
        item_number,
        related_item_number
    from {{ relation }}
    where place <= {{ var('pair_candidates') }}
    {%- endfor %}
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
        sources.related_item_number,
        {%- for generated, embeddings, prefix in generators %}
        {{ rounded(dot_product(prefix ~ 'embedding.embedding', prefix ~ 'related_embedding.embedding')) }} as {{ prefix }}embedding_cosine{{ ',' if not loop.last }}
        {%- endfor %}
    from sources
    {%- for generated, embeddings, prefix in generators %}
    inner join {{ embeddings }} as {{ prefix }}embedding on {{ prefix }}embedding.item_number = sources.item_number
    inner join {{ embeddings }} as {{ prefix }}related_embedding on {{ prefix }}related_embedding.item_number = sources.related_item_number
    {%- endfor %}
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
    {%- for generated, embeddings, prefix in generators %}
    -- 0: not among those the generator names.
    coalesce({{ prefix }}generated.log_probability, 0) as {{ prefix }}log_probability,
    candidates.{{ prefix }}embedding_cosine,
    {%- endfor %}
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
{%- for generated, embeddings, prefix in generators %}
left join {{ generated }} as {{ prefix }}generated
    on {{ prefix }}generated.item_number = candidates.item_number and {{ prefix }}generated.related_item_number = candidates.related_item_number
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
{%- endmacro %}
