-- models/similarity/swing_sums_by_user.sql: the sums of Swing, for each pair of items, counted from the pairs of items of each user.
{{ instances(entries('swing_logs'), name='{prefix}swing_sums_by_user') }}
{{ config(materialized='ephemeral', frozen=frozen) }}
-- A user who has n items meets n (n - 1) / 2 pairs of items. Where two users meet the same pair of items, their paths cross; the sums add up these crossings.
-- How many items two users share need not be looked up: users who share c items cross n = c (c - 1) / 2 times, so counting their crossings gives c.
-- In the same way the crossings at a pair of items give the number of its users, and every user of it stands in one crossing with each of the others.
{%- set keeps_single = var('min_common_users') < 2 %}

with user_events as (
    select
        events.user_number,
        events.item_number
        {%- if weighted %},
        events.weight
        {%- endif %}
    from {{ ref(prefix ~ 'swing_events') }} as events
    {%- if swing_form(weighted) == 'auto' %}
    -- nothing where by_item is the cheaper form.
    cross join {{ ref(costs) }} as costs
    where costs.by_user
    {%- endif %}
),

-- materialized: else the lists are sorted after the join, once for each of their own members.
user_lists as materialized (
    select
        user_number,
        {%- if weighted %}
        list(struct_pack(number := item_number, weight := weight) order by item_number) as items
        {%- else %}
        list(item_number order by item_number) as items
        {%- endif %}
    from user_events
    group by user_number
),

-- Each user with each two of the user's items, the smaller number first, made once: the second item and the user are one number, the meeting.
meetings as (
    select
        item_number,
        {%- if weighted %}
        weight * item.weight as weight,
        {%- endif %}
        {{ packed('item.number' if weighted else 'item', 'user_number') }} as meeting
    from (
        select
            user_events.user_number,
            user_events.item_number,
            {%- if weighted %}
            user_events.weight,
            {%- endif %}
            unnest(user_lists.items) as item
        from user_events
        inner join user_lists on user_lists.user_number = user_events.user_number
    ) as listed
    where item_number < {{ 'item.number' if weighted else 'item' }}
),

-- Meetings sorted within their first item: a pair of items that a second user meets lies beside itself. One sort that drops most pairs costs
-- less than half of counting them, for nearly all of them are met once.
neighbours as (
    select
        item_number,
        meeting,
        {%- if weighted %}
        weight,
        {%- endif %}
        coalesce(
            {{ first_of('meeting') }} = lead({{ first_of('meeting') }}) over (partition by item_number order by meeting)
            or {{ first_of('meeting') }} = lag({{ first_of('meeting') }}) over (partition by item_number order by meeting),
            false
        ) as met_again
    from meetings
),

item_pairs as (
    select
        {{ packed('item_number', '(' ~ first_of('meeting') ~ ')') }} as item_pair,
        cast({{ second_of('meeting') }} as integer) as user_number
        {%- if weighted %},
        weight
        {%- endif %}
        {%- if keeps_single %},
        met_again
        {%- endif %}
    from neighbours
    {%- if not keeps_single %}
    where met_again
    {%- endif %}
),

-- not materialized: in a dense log the crossings outgrow memory; making them twice costs a sparse log a tenth more CPU.
crossings as not materialized (
    select
        first_user.item_pair,
        {%- if weighted %}
        first_user.weight as first_weight,
        second_user.weight as second_weight,
        {%- endif %}
        {{ packed('first_user.user_number', 'second_user.user_number') }} as user_pair
    from item_pairs as first_user
    inner join item_pairs as second_user
        on second_user.item_pair = first_user.item_pair and first_user.user_number < second_user.user_number
    {%- if keeps_single %}
    where first_user.met_again and second_user.met_again
    {%- endif %}
),

user_overlaps as (
    select
        user_pair,
        {{ members_of_pairs('count(*)') }} as n_common_items
    from crossings
    group by user_pair
),

-- What two users add to each pair of items that both have.
terms as (
    select
        user_overlaps.user_pair,
        first_user.user_weight * second_user.user_weight / ({{ double(var('swing_alpha')) }} + user_overlaps.n_common_items) as term,
        first_user.self_term as first_self_term,
        second_user.self_term as second_self_term
    from user_overlaps
    inner join {{ ref(prefix ~ 'swing_user_weights') }} as first_user on first_user.user_number = {{ first_of('user_overlaps.user_pair') }}
    inner join {{ ref(prefix ~ 'swing_user_weights') }} as second_user on second_user.user_number = {{ second_of('user_overlaps.user_pair') }}
),

sums as (
    select
        crossings.item_pair,
        {%- if weighted %}
        sum(terms.term * crossings.first_weight * crossings.second_weight) as user_pairs,
        sum(
            terms.first_self_term * crossings.first_weight * crossings.first_weight
            + terms.second_self_term * crossings.second_weight * crossings.second_weight
        ) as self_terms,
        sum(crossings.first_weight + crossings.second_weight) as common_weight,
        {%- else %}
        sum(terms.term) as user_pairs,
        sum(terms.first_self_term + terms.second_self_term) as self_terms,
        {%- endif %}
        {{ members_of_pairs('count(*)') }} as n_common_users
    from crossings
    inner join terms on terms.user_pair = crossings.user_pair
    group by crossings.item_pair
)

select
    item_pair,
    user_pairs,
    -- each user was in n_common_users - 1 crossings.
    self_terms / (n_common_users - 1) as self_terms,
    {%- if weighted %}
    common_weight / (n_common_users - 1) as common_weight,
    {%- endif %}
    n_common_users
from sums
where n_common_users >= {{ var('min_common_users') }}
{%- if keeps_single %}
union all
-- Pairs of items of one user alone: no pair of users, one u = v term.
select
    single.item_pair,
    cast(0 as double) as user_pairs,
    user_weights.self_term{% if weighted %} * single.weight * single.weight{% endif %} as self_terms,
    {%- if weighted %}
    single.weight as common_weight,
    {%- endif %}
    1 as n_common_users
from item_pairs as single
inner join {{ ref(prefix ~ 'swing_user_weights') }} as user_weights on user_weights.user_number = single.user_number
where not single.met_again
{%- endif %}
