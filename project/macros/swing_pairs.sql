{# Swing (Yang et al. 2020, arXiv 2010.05525; method.md 6.1), exact in two forms that mirror each other; neither builds a pair of users that shares one
   item, nor a list of all pairs of items twice. Pairs are packed in one BIGINT, smaller number above: half the size of the hash tables.

   by_user: a pair of items (i < j) is met once in each user who has both. Of the pairs met at least twice, the pairs among their users are counted:
   two users who share c items share n = c (c - 1) / 2 pairs of items, so n gives c = (1 + sqrt(1 + 8 n)) / 2 without another join.
   by_item: a pair of users (u < v) is met once at each item both have, c times. The pairs among the items of those met at least twice are summed; a pair
   of items with n users in common is met in n (n - 1) / 2 pairs of users, which gives n, and each u = v term comes n - 1 times.
   Cost: the pairs of items of each user, or the pairs of users of each item (swing_costs). Pairs of items with one user in common are in the first alone,
   so by_item needs min_common_users of 2 or more; nor does it know weights.

   swing_pairs gives, for each pair of items with at least min_common_users users in common,
     user_pairs = sum over u < v of  w_u w_v / (swing_alpha + items in common of u and v)      with w_u = (|I_u| + user_alpha) ^ -user_beta
     self_terms = sum over u     of  w_u w_u / (swing_alpha + |I_u|)                           the u = v term of the literal sum
   `relation` has user_number and item_number; repeated rows count once. `weight` names a column of weights g: a user then adds w_u g_ui g_uj in place of
   w_u to a pair of items. The caps are those of capped_events. Defaults: the vars, or what swing_preset says (swing_setting).
   `costs`: a relation of swing_costs that chooses the form (form: auto); without, it is computed here. `partitions`: pairs are counted in so many slices
   of the smaller item (user), for less memory. #}
{% macro swing_pairs(
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
    costs=none,
    partitions=var('swing_partitions')
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
    select item_pairs <= user_pairs as by_user from {{ costs }}
    {%- else %}
    select
        coalesce((select sum(n * (n - 1)) from (select count(*) as n from events group by user_number) as users), 0)
        <= coalesce((select sum(n * (n - 1)) from (select count(*) as n from events group by item_number) as items), 0) as by_user
    {%- endif %}
),

{% endif -%}
{% if form != 'by_item' -%}
{{ swing_by_user('costs' if form == 'auto' else none, swing_alpha, min_common_users, weight, partitions | int) }},

{% endif -%}
{% if form != 'by_user' -%}
{{ swing_by_item('costs' if form == 'auto' else none, swing_alpha, partitions | int) }},

{% endif -%}
pair_sums as (
    {%- if form != 'by_item' %}
    select
        item_pairs.item_pair,
        coalesce(user_pair_sums.user_pairs, 0) as user_pairs,
        item_pairs.self_terms,
        item_pairs.n_met as n_common_users
    from item_pairs
    left join user_pair_sums on user_pair_sums.item_pair = item_pairs.item_pair
    where item_pairs.n_met >= {{ min_common_users }}
    {%- endif %}
    {{- '
    union all' if form == 'auto' }}
    {%- if form != 'by_user' %}
    select
        item_pair,
        user_pairs,
        self_terms / (n_common_users - 1) as self_terms,
        n_common_users
    from counted_sums
    where n_common_users >= {{ min_common_users }}
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

{# The CTEs of the form by_user: item_pairs and user_pair_sums. `costs`: the relation that says whether the form is wanted; else its input is empty. #}
{% macro swing_by_user(costs, swing_alpha, min_common_users, weight, partitions) -%}
user_events as (
    select
        events.user_number,
        events.item_number,
        {%- if weight %}
        events.weight,
        {%- endif %}
        user_weights.self_term
    from events
    inner join user_weights on user_weights.user_number = events.user_number
    {%- if costs %}
    cross join {{ costs }} as costs
    where costs.by_user
    {%- endif %}
),

-- pairs met twice are counted even where more users in common are asked for: they say how much two users share.
{{ pairs_met('item', 'user', [min_common_users | int, 2] | min, partitions, weight) }},

-- not materialized: in a dense log the crossings outgrow memory; reading them twice costs a sparse log a quarter more CPU.
crossings as not materialized (
    select
        item_pair,
        {%- if weight %}
        (cast(first_user.number as bigint) << 32) | second_user.number as user_pair,
        first_user.weight * second_user.weight as weight
        {%- else %}
        (cast(first_user as bigint) << 32) | second_user as user_pair
        {%- endif %}
    from (
        select
            item_pair,
            first_user,
            unnest(users) as second_user
        from (select item_pair, users, unnest(users) as first_user from item_pairs where n_met >= 2) as listed
    ) as crossed
    where first_user{{ '.number' if weight }} < second_user{{ '.number' if weight }}
),

overlap_counts as (
    select
        user_pair,
        (1 + sqrt(cast(1 + 8 * count(*) as double))) / 2 as n_common_items
    from crossings
    group by user_pair
),

user_pair_terms as (
    select
        overlap_counts.user_pair,
        first_user.user_weight * second_user.user_weight / ({{ double(swing_alpha) }} + overlap_counts.n_common_items) as term
    from overlap_counts
    inner join user_weights as first_user on first_user.user_number = overlap_counts.user_pair >> 32
    inner join user_weights as second_user on second_user.user_number = overlap_counts.user_pair & 4294967295
),

user_pair_sums as (
    select
        crossings.item_pair,
        sum(user_pair_terms.term{% if weight %} * crossings.weight{% endif %}) as user_pairs
    from crossings
    inner join user_pair_terms on user_pair_terms.user_pair = crossings.user_pair
    group by crossings.item_pair
)
{%- endmacro %}

{# The CTEs of the form by_item: counted_sums, per pair of items with at least two users in common; its self_terms are n_common_users - 1 times too large. #}
{% macro swing_by_item(costs, swing_alpha, partitions) -%}
item_events as (
    select
        events.item_number,
        events.user_number
    from events
    {%- if costs %}
    cross join {{ costs }} as costs
    where not costs.by_user
    {%- endif %}
),

{{ pairs_met('user', 'item', 2, partitions) }},

met_terms as (
    select
        user_pairs.items,
        first_user.user_weight * second_user.user_weight / ({{ double(swing_alpha) }} + user_pairs.n_met) as term,
        first_user.self_term + second_user.self_term as self_terms
    from user_pairs
    inner join user_weights as first_user on first_user.user_number = user_pairs.user_pair >> 32
    inner join user_weights as second_user on second_user.user_number = user_pairs.user_pair & 4294967295
),

counted_sums as (
    select
        item_pair,
        sum(term) as user_pairs,
        sum(self_terms) as self_terms,
        (1 + sqrt(cast(1 + 8 * count(*) as double))) / 2 as n_common_users
    from (
        select
            (cast(first_item as bigint) << 32) | second_item as item_pair,
            term,
            self_terms
        from (
            select
                first_item,
                unnest(items) as second_item,
                term,
                self_terms
            from (select items, unnest(items) as first_item, term, self_terms from met_terms) as listed
        ) as crossed
        where first_item < second_item
    ) as crossings
    group by item_pair
)
{%- endmacro %}

{# The pairs of `of` (item or user) that meet `within` (the other) at least `at_least` times: the CTE item_pairs (user_pairs) with the pair, n_met, the list of
   where they met (null under two) and, of items, self_terms. Reads user_events (item_events). `weight`: those lists hold number and weight. #}
{% macro pairs_met(of, within, at_least, partitions, weight=none) -%}
{{ within }}_lists as (
    select
        {{ within }}_number,
        {%- if weight %}
        list(struct_pack(number := {{ of }}_number, weight := weight)) as members
        {%- else %}
        list({{ of }}_number) as members
        {%- endif %}
    from {{ within }}_events
    group by {{ within }}_number
),

{%- for slice in range(partitions) %}
{{ of }}_pairs{{ '_' ~ slice if partitions > 1 }} as {{ 'materialized ' if partitions > 1 }}(
    select
        {{ of }}_pair,
        count(*) as n_met,
        {%- if of == 'item' %}
        sum(self_term) as self_terms,
        {%- endif %}
        {%- if weight %}
        list(struct_pack(number := {{ within }}_number, weight := weight)) as {{ within }}s
        {%- else %}
        list({{ within }}_number) as {{ within }}s
        {%- endif %}
    from (
        select
            {{ within }}_number,
            {%- if weight %}
            weight * member.weight as weight,
            self_term * weight * weight * member.weight * member.weight as self_term,
            {%- elif of == 'item' %}
            self_term,
            {%- endif %}
            (cast({{ of }}_number as bigint) << 32) | member{{ '.number' if weight }} as {{ of }}_pair
        from (
            select
                {{ within }}_events.*,
                unnest({{ within }}_lists.members) as member
            from {{ within }}_events
            inner join {{ within }}_lists on {{ within }}_lists.{{ within }}_number = {{ within }}_events.{{ within }}_number
            {%- if partitions > 1 %}
            where {{ within }}_events.{{ of }}_number % {{ partitions }} = {{ slice }}
                {%- if slice %}
                -- always true; it makes the slices wait for each other, so that one at a time is in memory.
                and coalesce((select max(n_met) from {{ of }}_pairs_{{ slice - 1 }}), 1) >= 1
                {%- endif %}
            {%- endif %}
        ) as listed
        where {{ of }}_number < member{{ '.number' if weight }}
    ) as incidences
    group by {{ of }}_pair
    {%- if at_least > 1 %}
    having count(*) >= {{ at_least }}
    {%- endif %}
){{ ',
' if not loop.last }}
{%- endfor %}
{%- if partitions > 1 %},

{{ of }}_pairs as (
    {%- for slice in range(partitions) %}
    select * from {{ of }}_pairs_{{ slice }}{{ ' union all' if not loop.last }}
    {%- endfor %}
)
{%- endif %}
{%- endmacro %}

