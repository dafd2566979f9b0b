-- models/llm_cf/llm_cf_choices.sql: the items that LLM-CF would add for each user, as many as LLM-I2I keeps for the user (method.md 6.4). How LLM-CF finds
-- them is our reading of its paper (var llm_cf_reading). Reading A takes the items of the most similar rows with answer yes in the reasoning set, among the
-- rows of other users. Reading B takes the items that LLM-CF's own neural model ranks highest among those that the user has not met.
{{ config(enabled=llm_cf_adds_pairs()) }}
with wanted as (
    -- How many items LLM-I2I keeps for each user.
    select
        user_number,
        count(*) as n_wanted
    from {{ ref('synthetic_interactions') }}
    group by user_number
)

select
    users.user_id,
    item_numbers.item_id,
    cast(found.choice as integer) as choice,
    found.similarity,
    cast(found.example_number as integer) as example_number,
    cast(found.user_number as integer) as user_number,
    cast(found.item_number as integer) as item_number
{%- if var('llm_cf_reading') == 'A' %}
-- Reading A: a user's last events are compared with the histories of the examples.
from retrieve_examples(
    (
        select
            recent.user_number,
            list(recent.item_number order by recent.position) as history,
            any_value(kept.n_wanted) as n_wanted
        from (
            select
                user_number,
                item_number,
                position
            from {{ ref('interactions_train') }}
            qualify row_number() over (partition by user_number order by position desc) <= {{ var('history_length') }}
        ) as recent
        inner join wanted as kept on kept.user_number = recent.user_number
        group by recent.user_number
        order by recent.user_number
    ),
    examples := (
        select example_number, user_number, item_number, answer, history, embedding
        from {{ ref('llm_cf_example_rows') }}
        where answer = 'Yes'
        order by example_number
    ),
    known := (select user_number, item_number from {{ ref('interactions_train') }}),
    embeddings := (select item_number, embedding from {{ ref('llm_cf_item_embeddings') }} order by item_number),
    reasoning_weight := {{ double(var('llm_cf_reasoning_weight')) if var('llm_cf_reasoning') else double(0) }},
    similarity := {{ quote_literal(var('llm_cf_similarity')) }}
) as found
{%- else %}
-- Reading B: the model's vector of the user is compared with those of the items.
from (
    select
        ranked.number as user_number,
        ranked.item_number,
        ranked.rank as choice,
        ranked.score as similarity,
        cast(null as integer) as example_number
    from nearest_items(
        (
            select
                vectors.number,
                any_value(vectors.vector) as vector,
                list(train.item_number order by train.position) as excluded
            from {{ ref('llm_cf_native_vectors') }} as vectors
            inner join {{ ref('interactions_train') }} as train on train.user_number = vectors.number
            where vectors.kind = 'query'
            group by vectors.number
            order by vectors.number
        ),
        items := (select number, vector from {{ ref('llm_cf_native_vectors') }} where kind = 'item' order by number),
        n := {{ var('candidates_per_user') }}
    ) as ranked
    inner join wanted as kept on kept.user_number = ranked.number and ranked.rank <= kept.n_wanted
) as found
{%- endif %}
inner join {{ ref('users') }} as users on users.user_number = found.user_number
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = found.item_number
