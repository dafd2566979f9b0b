{# Data tests of the part llm_cf. #}

{# As many rows a user as in another relation, but where the reasoning set has no more: every item of it that the user does not know, brought by
   other users, is taken. Users whose history has no known word find nothing and are left out. #}
{% macro test_as_many_while_examples_last(model, to) %}
select
    short.user_number,
    short.n_allowed,
    short.n_rows,
    count(distinct examples.item_number) as n_eligible
from ({{ users_with_fewer_rows(model, to) }}) as short
inner join ({{ users_with_a_readable_history() }}) as readable on readable.user_number = short.user_number
inner join {{ ref('llm_cf_examples') }} as examples on examples.user_number <> short.user_number and examples.answer = 'Yes'
left join {{ ref('interactions_train') }} as known
    on known.user_number = short.user_number and known.item_number = examples.item_number
where known.item_number is null
group by short.user_number, short.n_allowed, short.n_rows
having short.n_rows < count(distinct examples.item_number)
{% endmacro %}

{# Users with fewer rows than another relation has for them. #}
{% macro users_with_fewer_rows(model, to) %}
select
    allowed.user_number,
    allowed.n_rows as n_allowed,
    coalesce(tested.n_rows, 0) as n_rows
from (select user_number, count(*) as n_rows from {{ to }} group by user_number) as allowed
left join (select user_number, count(*) as n_rows from {{ model }} group by user_number) as tested
    on tested.user_number = allowed.user_number
where coalesce(tested.n_rows, 0) < allowed.n_rows
{% endmacro %}

{# Users who have an item with a known word among the last of their history. #}
{% macro users_with_a_readable_history() %}
select distinct recent.user_number
from (
    select
        user_number,
        item_number
    from {{ ref('interactions_train') }}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('history_length') }}
) as recent
inner join {{ ref('llm_cf_item_embeddings') }} as embeddings on embeddings.item_number = recent.item_number
where {{ dot_product('embeddings.embedding', 'embeddings.embedding') }} > 0
{% endmacro %}

{# No user is shown an example of his own, nor one that was not observed. #}
{% macro test_examples_are_of_others(model) %}
select
    tested.user_id,
    tested.example_number
from {{ model }} as tested
inner join {{ ref('llm_cf_examples') }} as examples on examples.example_number = tested.example_number
where
    examples.user_number = tested.user_number
    or examples.answer <> 'Yes'
    or examples.item_number <> tested.item_number
{% endmacro %}
