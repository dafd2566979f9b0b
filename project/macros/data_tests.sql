{# Data tests of this project. Each selects the rows that fail. Those for synthetic data of any project come with the package. #}

{# Rows of the log that lack an id or an order value, where they are more than `max_share` of it, the var max_rejected_share. #}
{% macro test_rejected_rows(model, max_share) %}
select *
from (
    select
        problem,
        count(*) as n_rows,
        count(*) || ' of ' || sum(count(*)) over () || ' rows have ' || problem
        || '; max_rejected_share: ' || ceil(1000 * sum(case when problem is null then 0 else count(*) end) over () / cast(sum(count(*)) over () as double)) / 1000
        || ' would leave them out' as message,
        sum(case when problem is null then 0 else count(*) end) over () > {{ double(max_share) }} * sum(count(*)) over () as is_too_many
    from {{ model }}
    group by problem
) as problems
where problem is not null and is_too_many
{% endmacro %}

{# Lines that could not be read, where they are more than `max_share` of the rows. #}
{% macro test_malformed_lines(model, max_share) %}
select
    malformed_line,
    'cannot read: ' || malformed_line as message
from {{ model }}
where
    malformed_line is not null
    and (select count(malformed_line) > {{ double(max_share) }} * count(*) from {{ model }})
{% endmacro %}

{# Ids are written alike in both files: where more items of the log are found in the items file but for leading zeros, a `.0`, blanks or upper case
   than are found as they are, one of the files has lost the way its ids are written. #}
{% macro test_ids_of_one_kind(model, to) %}
select
    n_alike || ' of ' || n_items || ' items of the log are in the items file only but for leading zeros, a .0, blanks or upper case, such as '
    || log_id || ' in the log and ' || items_id || ' in the items file: write both alike, or change one in models/staging/log_events.sql or log_items.sql' as message
from (
    select
        count(*) as n_items,
        count(exact.id) as n_exact,
        count(case when exact.id is null then alike.id end) as n_alike,
        min(case when exact.id is null and alike.id is not null then cast(log.id as varchar) end) as log_id,
        min(case when exact.id is null then alike.id end) as items_id
    from (select distinct item_id as id from {{ to }}) as log
    -- Compared as every join of the project compares them.
    left join (select distinct item_id as id from {{ model }}) as exact on exact.id = log.id
    left join (
        select
            {{ id_without_dress('item_id') }} as plain_id,
            min(cast(item_id as varchar)) as id
        from {{ model }}
        group by {{ id_without_dress('item_id') }}
    ) as alike on alike.plain_id = {{ id_without_dress('log.id') }}
) as compared
where n_alike > n_exact
{% endmacro %}

{# An id without what programs add or drop as they copy it: leading zeros, a .0 behind it, blanks, upper case. #}
{% macro id_without_dress(column) -%}
regexp_replace(lower(trim(cast({{ column }} as varchar))), '^0+|[.]0$', '', 'g')
{%- endmacro %}

{# The warnings of log_report, each in its own words. #}
{% macro test_log_warnings(model) %}
select
    finding,
    finding || ': ' || n || ' of ' || total || ' ' || unit || ' (' || round(100 * share, 1) || '%' || coalesce(': ' || example, '') || '). ' || meaning || '; ' || what_to_do as message
from {{ model }}
where level = 'warning'
{% endmacro %}

{# Judges whose confidences cannot be told from chance, with what to do. #}
{% macro test_judge_has_learned(model) %}
select
    judge,
    auc,
    'the ' || judge || ' has not shown that it tells hits from misses: AUC '
    || coalesce(round(auc, 3) || ' +- ' || round(standard_error, 3), 'unknown') || ' on ' || n_hits || ' hits of users it did not learn from. '
    || 'Do not trust its confidences: try judge: boosting or logistic, more candidates (candidates_per_user, pair_candidates) or a longer log; '
    || 'leave it out with ' || case when judge = 'discriminator' then 'confidence_exponent: 0 or distil_mu: 0' else 'pair_mu: 0' end as message
from {{ model }}
where not learned
{% endmacro %}

{# Users and items with fewer than `k` rows; no k, no failure. #}
{% macro test_k_core(model, k) %}
{%- for name in ['user_id', 'item_id'] %}
{%- if not loop.first %}
union all
{%- endif %}
select
    '{{ name }}' as of,
    cast({{ name }} as varchar) as id,
    count(*) as n_rows
from {{ model }}
group by {{ name }}
having {% if k is none %}false{% else %}count(*) < {{ k }}{% endif %}
{%- endfor %}
{% endmacro %}

{# No user's held-out target among the items of the same user. `targets` holds what the protocol holds out, no more: under standard_val the last but one event may be trained on. #}
{% macro test_no_leakage(model, column_name='item_id') %}
select
    tested.user_id,
    targets.item_id,
    targets.split
from {{ model }} as tested
inner join {{ ref('targets') }} as targets
    on targets.user_id = tested.user_id and targets.item_id = tested.{{ column_name }}
{% endmacro %}

{# The same for text or lists of item tokens: prompts, histories, completions. A token <i_12> is found by its form, other spellings by searching the text. #}
{% macro test_no_leakage_in_text(model, column_name, events='interactions_train') %}
{%- if events == 'interactions' %}
{#- of the whole log, for the index that is served: it may know what the evaluation holds out. #}
select 1 as nothing where false
{%- else %}
{{ leaked_tokens(model, column_name) if var('item_ids') == 'token' else leaked_spellings(model, column_name) }}
{%- endif %}
{% endmacro %}

{# Targets whose token <i_12> stands in the column. #}
{% macro leaked_tokens(model, column_name) %}
select
    tested.user_id,
    targets.item_id,
    targets.split
from (
    select
        user_id,
        unnest(regexp_extract_all(cast({{ column_name }} as varchar), '<i_[0-9]+>')) as item_token
    from {{ model }}
) as tested
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_token = tested.item_token
inner join {{ ref('targets') }} as targets
    on targets.user_id = tested.user_id and targets.item_id = item_numbers.item_id
{% endmacro %}

{# Targets whose spelling stands in the column as prompts write it: on a line of its own behind its number or a dash, in brackets, or, without lines, between spaces. #}
{% macro leaked_spellings(model, column_name) %}
select
    tested.user_id,
    targets.item_id,
    targets.split
from {{ model }} as tested
inner join {{ ref('targets') }} as targets on targets.user_id = tested.user_id
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_id = targets.item_id
where
    {%- if column_name == 'completions' %}
    list_contains(tested.completions, item_numbers.item_token)
    {%- else %}
    contains(tested.{{ column_name }} || chr(10), '. ' || item_numbers.item_token || chr(10))
    or contains(tested.{{ column_name }} || chr(10), chr(10) || '- ' || item_numbers.item_token || chr(10))
    or contains(tested.{{ column_name }}, '[' || item_numbers.item_token || ']')
    {%- if var('item_ids') != 'title' and 'short' in (var('generator_prompt'), var('discriminator_prompt')) %}
    or contains(' ' || tested.{{ column_name }} || ' ', ' ' || item_numbers.item_token || ' ')
    {%- endif %}
    {%- endif %}
{% endmacro %}

{# No row of a new user, of whom nothing is learnt or generated (var new_users). #}
{% macro test_no_new_users(model) %}
select tested.user_id
from {{ model }} as tested
inner join {{ ref('users') }} as users on users.user_id = tested.user_id
where users.is_new
{% endmacro %}

{# The values of the column are first, first + 1, ... within each value of `per`, none missing, none twice. #}
{% macro test_dense(model, column_name, per=none, first=0) %}
select *
from (
    select
        {{ column_name }} as value,
        row_number() over ({% if per %}partition by {{ per }} {% endif %}order by {{ column_name }}) - 1 + {{ first }} as expected
    from {{ model }}
) as numbered
where value is null or value <> expected
{% endmacro %}

{# No item is its own neighbour. #}
{% macro test_no_self_relation(model, column_name='related_item_id', item='item_id') %}
select *
from {{ model }}
where {{ item }} = {{ column_name }}
{% endmacro %}

{# Segments in which the index is surely below its own recommender without the language model, on `split` (paired_differences). Under append there is
   nothing that could be chosen otherwise. #}
{% macro test_index_is_not_below_its_baseline(model, segments, split='validation') %}
select
    segment,
    difference,
    upper,
    'on ' || segment || ' ' || split || ' targets the index has recall@10 ' || round(value, 4) || ', ' || other_recommender || ' without the language model '
    || round(other_value, 4) || ' (the 95% interval of the difference ends at ' || round(upper, 4) || '): let fusion_trials choose the weights'
    || ' (distil_mu, pair_mu and long_tail_vote: null), or publish all the same with severity warn for this test (models/evaluation/evaluation.yml)' as message
from {{ model }}
where
    augmentation = 'llm_i2i' and against = 'none' and split = '{{ split }}' and metric = 'recall' and k = 10
    and segment in ({% for segment in segments %}'{{ segment }}'{{ ', ' if not loop.last }}{% endfor %})
    and upper < 0 and {{ var('fusion') != 'append' }}
{% endmacro %}

{# Rows for all users = rows for long-tail targets + rows for the others (method.md 4.1). #}
{% macro test_segments_add_up(model) %}
select
    recommender,
    augmentation,
    split,
    metric,
    k
from {{ model }}
where segment in ('all', 'long_tail', 'other')
group by recommender, augmentation, split, metric, k
having
    sum(case when segment = 'all' then n_users else -n_users end) <> 0
    or abs(sum(case when segment = 'all' then value * n_users else -value * n_users end)) > 1e-6
{% endmacro %}

{# Every target counts in the segment all or in new_users, and in one of them. #}
{% macro test_every_target_counts(model) %}
select
    metrics.recommender,
    metrics.augmentation,
    metrics.split,
    metrics.n_users,
    targets.n_targets
from (
    select
        recommender,
        augmentation,
        split,
        sum(n_users) as n_users
    from {{ model }}
    where segment in ('all', 'new_users') and metric = 'recall' and k = 10
    group by recommender, augmentation, split
) as metrics
left join (select split, count(*) as n_targets from {{ ref('targets') }} group by split) as targets on targets.split = metrics.split
where metrics.n_users <> targets.n_targets
{% endmacro %}

{# Rows of one protocol only, and of the project's present one: figures of different protocols are never compared. #}
{% macro test_one_protocol(model, column_name) %}
select distinct
    {{ column_name }} as found,
    'protocol ' || coalesce({{ column_name }}, 'null') || ' among rows of ' || {{ protocol_label() }} as message
from {{ model }}
where {{ column_name }} is distinct from {{ protocol_label() }}
{% endmacro %}

{# Each target of protocol sampled99 competes with 99 items its user never met, or with all of them where there are fewer. #}
{% macro test_sampled_candidates(model) %}
select
    targets.target_number,
    count(candidates.item_number) as n_candidates,
    count(met.item_number) as n_met
from {{ ref('targets') }} as targets
inner join {{ ref('users') }} as users on users.user_number = targets.user_number
left join {{ model }} as candidates on candidates.target_number = targets.target_number
left join {{ ref('interactions') }} as met
    on met.user_number = targets.user_number
    and met.item_number = candidates.item_number
    and met.item_number <> targets.item_number
group by targets.target_number, users.n_interactions
having
    count(candidates.item_number) <> 1 + least(99, (select count(*) from {{ ref('item_numbers') }}) - users.n_interactions)
    or sum(case when candidates.is_target then 1 else 0 end) <> 1
    or count(met.item_number) > 0
{% endmacro %}

{# Some item is long-tail. In a sparse log so many items have the lowest count that they do not fit into the fraction together. #}
{% macro test_finds_a_long_tail(model) %}
select
    min(n_interactions) as lowest,
    'no item is long-tail: ' || count(case when n_interactions = smallest then 1 end) || ' of ' || count(*) || ' items have the lowest count, '
    || min(n_interactions) || ', and long_tail_rule {{ var('long_tail_rule') }} takes none of them; where a log is so sparse, set long_tail_rule: '
    || 'exact_fraction, or max_count with long_tail_max_count: ' || min(n_interactions) as message
from (select n_interactions, is_long_tail, min(n_interactions) over () as smallest from {{ model }}) as items
having count(case when is_long_tail then 1 end) = 0
{% endmacro %}

{# As many rows as another relation has. #}
{% macro test_same_size(model, to) %}
select
    n_rows,
    n_expected
from (select count(*) as n_rows from {{ model }}) as counted
cross join (select count(*) as n_expected from {{ to }}) as expected
where n_rows <> n_expected
{% endmacro %}

{# What queries the index for a target is not that target, nor later than it. #}
{% macro test_not_target(model, column_name) %}
select
    tested.user_id,
    tested.split,
    tested.{{ column_name }}
from {{ model }} as tested
inner join {{ ref('targets') }} as targets
    on targets.user_id = tested.user_id and targets.split = tested.split
inner join {{ ref('interactions') }} as interactions
    on interactions.user_id = tested.user_id and interactions.item_id = tested.{{ column_name }}
where interactions.position >= targets.position
{% endmacro %}

{# No user has more rows than in another relation. #}
{% macro test_at_most_as_many_per_user(model, to) %}
select
    tested.user_id,
    tested.n_rows,
    allowed.n_rows as n_allowed
from (select user_id, count(*) as n_rows from {{ model }} group by user_id) as tested
left join (select user_id, count(*) as n_rows from {{ to }} group by user_id) as allowed on allowed.user_id = tested.user_id
where tested.n_rows > coalesce(allowed.n_rows, 0)
{% endmacro %}

{# Paired differences are the differences of the metrics; bounds are in order. #}
{% macro test_differences_are_of_values(model) %}
select *
from {{ model }}
where abs(difference - (value - other_value)) > 1e-9 or lower > upper
{% endmacro %}

{# Every value of a column of another relation still occurs. #}
{% macro test_keeps_everyone(model, of, column) %}
select distinct expected.{{ column }}
from {{ of }} as expected
left join {{ model }} as tested on tested.{{ column }} = expected.{{ column }}
where tested.{{ column }} is null
{% endmacro %}

{# A share does not exceed its cap. #}
{% macro test_share_at_most(model, max_value) %}
select *
from {{ model }}
-- the share is rounded.
where share > {{ max_value }} + 1e-6
{% endmacro %}

{# Items of a history, a list of item numbers, are events of the user before the row's position, in the train part. #}
{% macro test_history_is_before(model, column_name='history') %}
select
    tested.user_number,
    tested.position,
    tested.item_number
from (
    select
        user_number,
        position,
        unnest({{ column_name }}) as item_number
    from {{ model }}
) as tested
left join {{ ref('interactions_train') }} as train
    on train.user_number = tested.user_number and train.item_number = tested.item_number
where train.position is null or train.position >= tested.position
{% endmacro %}

{# Swing would count more pairs than `max_pairs`; the message names the largest cap on the users of an item under which it would not. #}
{% macro test_pairs_at_most(model, max_pairs) %}
{%- set counts_singles = var('min_common_users') < 2 -%}
select
    'Swing needs ' || format('{:,}', cast({{ 'item_pairs' if counts_singles else 'least(item_pairs, user_pairs)' }} as bigint)) || ' pairs, more than swing_max_pairs: '
    || {{ "'set min_common_users: 2 and '" if counts_singles else "''" }}
    || case
        {%- for cap in swing_caps() | reverse %}
        when user_pairs_{{ cap }} <= {{ max_pairs }} then 'cap users per item at {{ cap }} (max_users_per_item: {{ cap }}), which needs ' || format('{:,}', cast(user_pairs_{{ cap }} as bigint))
        {%- endfor %}
        else 'lower max_items_per_user'
    end
    || ', or raise swing_max_pairs' as message
from {{ model }}
where {{ 'item_pairs' if counts_singles else 'least(item_pairs, user_pairs)' }} > {{ max_pairs }}
{% endmacro %}
