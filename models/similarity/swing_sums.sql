-- models/similarity/swing_sums.sql: what every Swing of a log is read off, for each pair of items with users in common:
--   user_pairs = sum over users u < v who have both items of  w_u w_v / (swing_alpha + items that u and v have in common)
--   self_terms = sum over users u who have both items of      w_u w_u / (swing_alpha + items of u)
-- With weights g of events, a user adds w_u g_ui g_uj in place of w_u to a pair of items i, j (method.md 6.1), and
--   common_weight = sum over users u who have both items of  g_ui g_uj,      weighted_degree = sum over users u of i of  g_ui ^ 2
{{ instances(entries('swing_logs'), name='{prefix}swing_sums') }}
{{ config(frozen=frozen) }}
{% set form = swing_form(weighted) %}
{#- A data test of the costs stops the build where there would be too many pairs; reading them here makes this model wait for it. -#}
{% do ref(costs) %}

with degrees as (
    select
        item_number,
        {%- if weighted %}
        sum(weight * weight) as weighted_degree,
        {%- endif %}
        count(*) as degree
    from {{ ref(prefix ~ 'swing_events') }}
    group by item_number
),

-- Two exact ways to the same sums. Under auto both stand here, and the one that costs more has no input.
pair_sums as (
    {%- if form != 'by_item' %}
    select
        item_pair,
        user_pairs,
        self_terms,
        {%- if weighted %}
        common_weight,
        {%- endif %}
        n_common_users
    from {{ ref(prefix ~ 'swing_sums_by_user') }}
    {%- endif %}
    {%- if form == 'auto' %}
    union all
    {%- endif %}
    {%- if form != 'by_user' %}
    select
        item_pair,
        user_pairs,
        self_terms,
        n_common_users
    from {{ ref(prefix ~ 'swing_sums_by_item') }}
    {%- endif %}
)

select
    cast({{ first_of('pair_sums.item_pair') }} as integer) as item_number,
    cast({{ second_of('pair_sums.item_pair') }} as integer) as related_item_number,
    pair_sums.user_pairs,
    pair_sums.self_terms,
    {%- if weighted %}
    pair_sums.common_weight,
    degrees.weighted_degree,
    related_degrees.weighted_degree as related_weighted_degree,
    {%- endif %}
    cast(pair_sums.n_common_users as integer) as n_common_users,
    cast(degrees.degree as integer) as degree,
    cast(related_degrees.degree as integer) as related_degree
from pair_sums
inner join degrees on degrees.item_number = {{ first_of('pair_sums.item_pair') }}
inner join degrees as related_degrees on related_degrees.item_number = {{ second_of('pair_sums.item_pair') }}
