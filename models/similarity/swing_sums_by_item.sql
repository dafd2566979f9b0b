-- models/similarity/swing_sums_by_item.sql: the sums of swing_sums_by_user, counted from the pairs of users of each item: the mirror image, cheaper
-- where items have few users and users many items. Pairs of users that meet at one item alone are dropped early, so it sees no pair of items with one user in common.
{{ instances(entries('swing_logs'), name='{prefix}swing_sums_by_item') }}
{{ config(materialized='ephemeral', frozen=frozen, enabled=enabled and swing_form(weighted) != 'by_user') }}

with item_events as (
    select
        events.user_number,
        events.item_number
    from {{ ref(prefix ~ 'swing_events') }} as events
    {%- if swing_form(weighted) == 'auto' %}
    -- nothing where by_user is the cheaper form.
    cross join {{ ref(costs) }} as costs
    where not costs.by_user
    {%- endif %}
),

-- materialized: else the lists are sorted after the join, once for each of their own members.
item_lists as materialized (
    select
        item_number,
        list(user_number order by user_number) as users
    from item_events
    group by item_number
),

-- Each item with each two of its users, the smaller number first: the second user and the item are one number, the meeting.
meetings as (
    select
        user_number,
        {{ packed('other_user', 'item_number') }} as meeting
    from (
        select
            item_events.user_number,
            item_events.item_number,
            unnest(item_lists.users) as other_user
        from item_events
        inner join item_lists on item_lists.item_number = item_events.item_number
    ) as listed
    where user_number < other_user
),

-- Sorted, a pair of users that meets again lies beside itself.
neighbours as (
    select
        user_number,
        meeting,
        coalesce(
            {{ first_of('meeting') }} = lead({{ first_of('meeting') }}) over (partition by user_number order by meeting)
            or {{ first_of('meeting') }} = lag({{ first_of('meeting') }}) over (partition by user_number order by meeting),
            false
        ) as met_again
    from meetings
),

user_pairs as (
    select
        {{ packed('user_number', '(' ~ first_of('meeting') ~ ')') }} as user_pair,
        cast({{ second_of('meeting') }} as integer) as item_number
    from neighbours
    where met_again
),

-- Two users meet once at each item that both have.
user_overlaps as (
    select
        user_pair,
        count(*) as n_common_items
    from user_pairs
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

crossings as (
    select
        {{ packed('first_item.item_number', 'second_item.item_number') }} as item_pair,
        first_item.user_pair
    from user_pairs as first_item
    inner join user_pairs as second_item
        on second_item.user_pair = first_item.user_pair and first_item.item_number < second_item.item_number
),

-- A pair of items that n users have comes up in n (n - 1) / 2 pairs of users, which gives n.
sums as (
    select
        crossings.item_pair,
        sum(terms.term) as user_pairs,
        sum(terms.first_self_term + terms.second_self_term) as self_terms,
        {{ members_of_pairs('count(*)') }} as n_common_users
    from crossings
    inner join terms on terms.user_pair = crossings.user_pair
    group by crossings.item_pair
)

select
    item_pair,
    user_pairs,
    -- each user was in n_common_users - 1 pairs of users.
    self_terms / (n_common_users - 1) as self_terms,
    n_common_users
from sums
where n_common_users >= {{ var('min_common_users') }}
