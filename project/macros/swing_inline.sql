{# Swing on events written in place, for the macro similarity_with_pairs alone. To be deleted with it: an entry of the list swing_logs takes its place. #}
{# The scores of the pairs that `pairs` (a relation of swing_sums) holds, in both directions, with the log's ids.
   score = (user_pair_weight x user_pairs + self_pair_weight x self_terms) / (d_i d_j) ^ degree_exponent.
   u < v only: self_pairs=false. The literal ordered sum of the paper: user_pair_weight=2, self_pair_weight=1 (each pair twice, u = v once).
   max_normalised: divided by the trigger item's best, as Alink's resultNormalize; it changes no single list, but what several triggers add up to. #}
{% macro swing_scores(
    pairs,
    self_pairs=(swing_setting('self_pairs') == 'true'),
    self_pair_weight=swing_setting('self_pair_weight'),
    user_pair_weight=swing_setting('user_pair_weight'),
    min_common_users=swing_setting('min_common_users'),
    degree_exponent=swing_setting('degree_exponent'),
    max_normalised=(swing_setting('max_normalised') == 'true')
) -%}
with scored_item_pairs as (
    select
        item_number,
        related_item_number,
        (
            {{ double(user_pair_weight) }} * user_pairs
            {%- if self_pairs %} + {{ double(self_pair_weight) }} * self_terms{% endif %}
        )
        {%- if degree_exponent | float %} / power(cast(degree as double) * related_degree, {{ double(degree_exponent) }}){% endif %} as score
    from {{ pairs }}
    where n_common_users >= {{ min_common_users }}
),

both_directions as (
    select item_number, related_item_number, score from scored_item_pairs where score > 0
    union all
    select related_item_number, item_number, score from scored_item_pairs where score > 0
)

select
    items.item_id,
    related_items.item_id as related_item_id,
    both_directions.score{% if max_normalised %} / max(both_directions.score) over (partition by both_directions.item_number) as score{% endif %},
    both_directions.item_number,
    both_directions.related_item_number
from both_directions
inner join {{ ref('item_numbers') }} as items on items.item_number = both_directions.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = both_directions.related_item_number
{%- endmacro %}

{# The CTEs that thin the log before anything is counted; the last one is `events`, one row per user and item. Users with fewer than `min_items_per_user`
   items go; of those with more than `max_items_per_user` the most recent by `recency` stay, or the user goes (over_max_items: recent or drop_user); then
   a draw of `max_users_per_item` users. #}
{% macro capped_events(
    relation, max_users_per_item, max_items_per_user, min_items_per_user, over_max_items, recency, weight, random_seed
) -%}
log_events as (
    select
        user_number,
        item_number{% if recency %},
        max({{ recency }}) as recency{% endif %}{% if weight %},
        max({{ weight }}) as weight{% endif %}
    from {{ relation }}
    group by user_number, item_number
),

{#- settings are text, and no cap is 0 or none. -#}
{% set max_items_per_user = (max_items_per_user or 0) | int -%}
{% set max_users_per_item = (max_users_per_item or 0) | int -%}
{% set drops_users = max_items_per_user and over_max_items == 'drop_user' -%}
{% set keeps_recent = max_items_per_user and not drops_users -%}
{% set bounds_users = drops_users or min_items_per_user | int > 1 -%}
{% set kept_events = 'recent_events' if keeps_recent else 'bounded_events' if bounds_users else 'log_events' -%}
{% if bounds_users %}
bounded_events as (
    select
        user_number,
        item_number{% if recency %},
        recency{% endif %}{% if weight %},
        weight{% endif %}
    from log_events
    qualify
        count(*) over (partition by user_number) >= {{ min_items_per_user }}
        {%- if drops_users %}
        and count(*) over (partition by user_number) <= {{ max_items_per_user }}
        {%- endif %}
),
{% endif %}

{% if keeps_recent %}
recent_events as (
    select
        user_number,
        item_number{% if weight %},
        weight{% endif %}
    from {{ 'bounded_events' if bounds_users else 'log_events' }}
    qualify row_number() over (
        partition by user_number
        order by {% if recency %}recency desc, {% endif %}item_number
    ) <= {{ max_items_per_user }}
),
{% endif %}

{% if max_users_per_item %}
seeded_events as (
    select
        user_number,
        item_number{% if weight %},
        weight{% endif %},
        {{ draw_seed(['user_number', 'item_number'], random_seed) }} as seed
    from {{ kept_events }}
),
{% endif %}

events as (
    select
        user_number,
        item_number{% if weight %},
        weight{% endif %}
    {% if max_users_per_item %}
    from seeded_events
    qualify row_number() over (partition by item_number order by {{ scrambled('seed') }}, user_number) <= {{ max_users_per_item }}
    {% else %}
    from {{ kept_events }}
    {% endif %}
)
{%- endmacro %}

{# Swing (Yang et al. 2020, arXiv 2010.05525; method.md 6.1), exact in two forms that mirror each other; each makes its pairs once, and drops
   those met once before any is counted. Pairs are packed in one BIGINT, smaller number above: half the size of the hash tables.

   by_user: a pair of items (i < j) is met once in each user who has both. Of the pairs met at least twice, the pairs among their users are counted:
   two users who share c items share n = c (c - 1) / 2 pairs of items, so n gives c = (1 + sqrt(1 + 8 n)) / 2 without another join.
   by_item: a pair of users (u < v) is met once at each item both have, c times. The pairs among the items of those met at least twice are summed.
   Either way a pair of items with n users in common comes up in n (n - 1) / 2 pairs of users, which gives n, and each u = v term comes n - 1 times.
   Cost: the pairs of items of each user, or the pairs of users of each item (swing_costs). Pairs of items with one user in common are in the first alone,
   so by_item needs min_common_users of 2 or more; nor does it know weights.

   swing_sums gives, for each pair of items with at least min_common_users users in common,
     user_pairs = sum over u < v of  w_u w_v / (swing_alpha + items in common of u and v)      with w_u = (|I_u| + user_alpha) ^ -user_beta
     self_terms = sum over u     of  w_u w_u / (swing_alpha + |I_u|)                           the u = v term of the literal sum
   `relation` has user_number and item_number; repeated rows count once. `weight` names a column of weights g: a user then adds w_u g_ui g_uj in place of
   w_u to a pair of items. The caps are those of capped_events. Defaults: the vars, or what swing_preset says (swing_setting).
   `costs`: a relation of swing_costs that chooses the form (form: auto); without, it is computed here.
   Everything that grows with the number of pairs is a sort, a hash join or a sum by key, which spill to disk; lists, which do not, are of events alone. #}
{% macro swing_sums(
    relation,
    user_alpha=swing_setting('user_alpha'),
    user_beta=swing_setting('user_beta'),
    swing_alpha=swing_setting('swing_alpha'),
    max_users_per_item=swing_setting('max_users_per_item'),
    max_items_per_user=swing_setting('max_items_per_user'),
    min_items_per_user=swing_setting('min_items_per_user'),
    over_max_items=swing_setting('over_max_items'),
    min_common_users=swing_setting('min_common_users'),
    recency=none,
    weight=none,
    random_seed=var('random_seed'),
    form=var('swing_form'),
    costs=none
) -%}
{%- set knows_by_item = min_common_users | int >= 2 and not weight -%}
{%- if form == 'by_item' and not knows_by_item -%}
    {{ exceptions.raise_compiler_error("swing_form by_item needs min_common_users of 2 or more and no weights; set min_common_users: 2, or swing_form: auto") }}
{%- endif -%}
{%- set form = form if knows_by_item else 'by_user' -%}
with {{ capped_events(relation, max_users_per_item, max_items_per_user, min_items_per_user, over_max_items, recency, weight, random_seed) }},

degrees as (
    select
        item_number,
        count(*) as degree
    from events
    group by item_number
),

user_weights as (
    select
        user_number,
        power(count(*) + {{ double(user_alpha) }}, -{{ double(user_beta) }}) as user_weight,
        power(count(*) + {{ double(user_alpha) }}, -2 * {{ double(user_beta) }}) / ({{ double(swing_alpha) }} + count(*)) as self_term
    from events
    group by user_number
),

{% if form == 'auto' -%}
costs as (
    {%- if costs %}
    select by_user from {{ costs }}
    {%- else %}
    select
        {{ double(1.3) }} * coalesce((select sum(n * (n - 1)) from (select count(*) as n from events group by user_number) as users), 0)
        <= coalesce((select sum(n * (n - 1)) from (select count(*) as n from events group by item_number) as items), 0) as by_user
    {%- endif %}
),

{% endif -%}
{% if form != 'by_item' -%}
{{ swing_by_user('costs' if form == 'auto' else none, swing_alpha, min_common_users, weight) }},

{% endif -%}
{% if form != 'by_user' -%}
{{ swing_by_item('costs' if form == 'auto' else none, swing_alpha) }},

{% endif -%}
pair_sums as (
    {%- if form != 'by_item' %}
    {{ counted_pairs('user_side_sums', min_common_users) }}
    {%- if min_common_users | int < 2 %}
    union all
    select
        single.item_pair,
        cast(0 as double) as user_pairs,
        user_weights.self_term{% if weight %} * single.weight * single.weight{% endif %} as self_terms,
        1 as n_common_users
    from item_pairs as single
    inner join user_weights on user_weights.user_number = single.user_number
    where not single.met_again
    {%- endif %}
    {%- endif %}
    {{- '
    union all' if form == 'auto' }}
    {%- if form != 'by_user' %}
    {{ counted_pairs('item_side_sums', min_common_users) }}
    {%- endif %}
)

select
    cast(pair_sums.item_pair >> 32 as integer) as item_number,
    cast(pair_sums.item_pair & 4294967295 as integer) as related_item_number,
    pair_sums.user_pairs,
    pair_sums.self_terms,
    cast(pair_sums.n_common_users as integer) as n_common_users,
    cast(degrees.degree as integer) as degree,
    cast(related_degrees.degree as integer) as related_degree
from pair_sums
inner join degrees on degrees.item_number = pair_sums.item_pair >> 32
inner join degrees as related_degrees on related_degrees.item_number = pair_sums.item_pair & 4294967295
{%- endmacro %}

{# What pair_sums reads off sums over the pairs of users of each pair of items; n_met of them, each user n_common_users - 1 times. #}
{% macro counted_pairs(sums, min_common_users) -%}
select
        item_pair,
        user_pairs,
        self_terms / (n_common_users - 1) as self_terms,
        n_common_users
    from (
        select
            item_pair,
            user_pairs,
            self_terms,
            (1 + sqrt(cast(1 + 8 * n_met as double))) / 2 as n_common_users
        from {{ sums }}
    ) as counted
    where n_common_users >= {{ min_common_users }}
{%- endmacro %}

{# The CTEs of the form by_user: item_pairs and user_side_sums. `costs`: the relation that says whether the form is wanted; else its input is empty. #}
{% macro swing_by_user(costs, swing_alpha, min_common_users, weight) -%}
{{ pairs_met('item', 'user', costs and 'cross join ' ~ costs ~ ' as costs where costs.by_user', weight, min_common_users | int < 2) }},

-- not materialized: in a dense log the crossings outgrow memory; reading them twice costs a sparse log a tenth more CPU.
crossings as not materialized (
    select
        first_user.item_pair,
        {%- if weight %}
        first_user.weight as first_weight,
        second_user.weight as second_weight,
        {%- endif %}
        (cast(first_user.user_number as bigint) << 32) | second_user.user_number as user_pair
    from item_pairs as first_user
    inner join item_pairs as second_user
        on second_user.item_pair = first_user.item_pair and first_user.user_number < second_user.user_number
    {%- if min_common_users | int < 2 %}
    where first_user.met_again and second_user.met_again
    {%- endif %}
),

overlap_counts as (
    select
        user_pair,
        (1 + sqrt(cast(1 + 8 * count(*) as double))) / 2 as n_common_items
    from crossings
    group by user_pair
),

{{ user_pair_terms('user_pair_terms', 'overlap_counts', swing_alpha) }},

user_side_sums as (
    select
        crossings.item_pair,
        {%- if weight %}
        sum(terms.term * crossings.first_weight * crossings.second_weight) as user_pairs,
        sum(
            terms.first_self_term * crossings.first_weight * crossings.first_weight
            + terms.second_self_term * crossings.second_weight * crossings.second_weight
        ) as self_terms,
        {%- else %}
        sum(terms.term) as user_pairs,
        sum(terms.first_self_term + terms.second_self_term) as self_terms,
        {%- endif %}
        count(*) as n_met
    from crossings
    inner join user_pair_terms as terms on terms.user_pair = crossings.user_pair
    group by crossings.item_pair
)
{%- endmacro %}

{# The CTEs of the form by_item: item_side_sums. #}
{% macro swing_by_item(costs, swing_alpha) -%}
{{ pairs_met('user', 'item', costs and 'cross join ' ~ costs ~ ' as costs where not costs.by_user') }},

met_counts as (
    select
        user_pair,
        count(*) as n_common_items
    from user_pairs
    group by user_pair
),

{{ user_pair_terms('met_terms', 'met_counts', swing_alpha) }},

item_side_sums as (
    select
        crossings.item_pair,
        sum(terms.term) as user_pairs,
        sum(terms.first_self_term + terms.second_self_term) as self_terms,
        count(*) as n_met
    from (
        select
            (cast(first_item.item_number as bigint) << 32) | second_item.item_number as item_pair,
            first_item.user_pair
        from user_pairs as first_item
        inner join user_pairs as second_item
            on second_item.user_pair = first_item.user_pair and first_item.item_number < second_item.item_number
    ) as crossings
    inner join met_terms as terms on terms.user_pair = crossings.user_pair
    group by crossings.item_pair
)
{%- endmacro %}

{# The CTE `name`: what each pair of users of `counts` (user_pair, n_common_items) adds to a pair of items both have. #}
{% macro user_pair_terms(name, counts, swing_alpha) -%}
{{ name }} as (
    select
        counted.user_pair,
        first_user.user_weight * second_user.user_weight / ({{ double(swing_alpha) }} + counted.n_common_items) as term,
        first_user.self_term as first_self_term,
        second_user.self_term as second_self_term
    from {{ counts }} as counted
    inner join user_weights as first_user on first_user.user_number = counted.user_pair >> 32
    inner join user_weights as second_user on second_user.user_number = counted.user_pair & 4294967295
)
{%- endmacro %}

{# The CTE item_pairs (user_pairs): each pair of `of` (item or user) that meets `within` (the other) at least twice, once a meeting, with item_pair and
   user_number (user_pair and item_number). keeps_single: those met once too, and met_again, which tells them apart.
   Pairs with the same first number are sorted by the second: a pair that is met again lies beside itself. One sort that drops most of its input costs
   less than half of a count by pair, whose groups are nearly all of one row, and a join of the pairs with those counted. #}
{% macro pairs_met(of, within, filter, weight=none, keeps_single=false) -%}
{% set beside = 'over (partition by ' ~ of ~ '_number order by meeting)' -%}
{% set met_again = 'meeting >> 32 = lead(meeting >> 32) ' ~ beside ~ '
            or meeting >> 32 = lag(meeting >> 32) ' ~ beside -%}
{{ within }}_events as (
    select
        events.user_number,
        events.item_number{% if weight %},
        events.weight{% endif %}
    from events
    {{ filter or '' }}
),

-- materialized: else the lists are sorted after the join, once for each of their own members.
{{ within }}_lists as materialized (
    select
        {{ within }}_number,
        {%- if weight %}
        list(struct_pack(number := {{ of }}_number, weight := weight) order by {{ of }}_number) as members
        {%- else %}
        list({{ of }}_number order by {{ of }}_number) as members
        {%- endif %}
    from {{ within }}_events
    group by {{ within }}_number
),

{{ of }}_pairs as (
    select
        (cast({{ of }}_number as bigint) << 32) | (meeting >> 32) as {{ of }}_pair,
        cast(meeting & 4294967295 as integer) as {{ within }}_number{% if weight %},
        weight{% endif %}{% if keeps_single %},
        met_again{% endif %}
    from (
        select
            {{ of }}_number,
            meeting{% if weight %},
            weight{% endif %},
            coalesce({{ met_again }}, false) as met_again
        from (
            select
                {{ of }}_number,
                {%- if weight %}
                weight * member.weight as weight,
                {%- endif %}
                (cast(member{{ '.number' if weight }} as bigint) << 32) | {{ within }}_number as meeting
            from (
                select
                    {{ within }}_events.*,
                    unnest({{ within }}_lists.members) as member
                from {{ within }}_events
                inner join {{ within }}_lists on {{ within }}_lists.{{ within }}_number = {{ within }}_events.{{ within }}_number
            ) as listed
            where {{ of }}_number < member{{ '.number' if weight }}
        ) as meetings
    ) as neighbours
    {%- if not keeps_single %}
    where met_again
    {%- endif %}
)
{%- endmacro %}
