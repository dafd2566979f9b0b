-- models/report/log_report.sql: properties of the log that change what the figures made from it mean. A row is one such finding, with how often it was
-- counted and what to do about it. What each finding means, and from which share on it is shown or becomes a warning, stands in the list log_findings
-- (models/report/part.yml).
-- A time is compared with the day on which the log is read, which is when the report is made; it is not made again as days go by.
{{ config(volatile=false) }}
with events as (
    select
        user_id,
        item_id,
        order_value
    from {{ ref('log_events') }}
    where problem is null
),

-- Order values that are times, with their unit; a log may also be ordered by numbers that are none.
times as (
    select
        cast(order_value as varchar) as written,
        {{ time_unit('order_value') }} as unit,
        {{ seconds_of('order_value') }} as seconds,
        case when {{ time_unit('order_value') }} = 'time' then try_cast(cast(order_value as varchar) as timestamp) end as moment,
        try_cast(cast(order_value as varchar) as double) <= 0 as is_zero
    from events
),

time_units as (
    select
        unit,
        count(*) as n,
        min(written) as example
    from times
    where unit is not null
    group by unit
),

-- What stands for nothing, but as a word, in one of the three columns.
words as (
    select
        case
            when {{ is_word_for_nothing('user_id') }} then cast(user_id as varchar)
            when {{ is_word_for_nothing('item_id') }} then cast(item_id as varchar)
            when {{ is_word_for_nothing('order_value') }} then cast(order_value as varchar)
        end as word
    from {{ ref('log_events') }}
),

pairs as (
    select
        user_id,
        item_id,
        order_value,
        count(*) over (partition by user_id, order_value) as n_tied
    from {{ ref('first_events') }}
),

-- Users with two events or more; if the first and the last have the same order value, all have.
ordered_users as (
    select
        user_id,
        min(order_value) as first_value,
        max(order_value) as last_value
    from {{ ref('first_events') }}
    group by user_id
    having count(*) > 1
),

-- Items of the log, with their text and their events in the train part.
bought_items as (
    select
        bought.item_number,
        items.text = cast(items.item_id as varchar) as lacks_text,
        coalesce(train.n_train, 0) as n_train
    from (select distinct item_number from {{ ref('interactions') }}) as bought
    inner join {{ ref('items') }} as items on items.item_number = bought.item_number
    left join (
        select
            item_number,
            count(*) as n_train
        from {{ ref('interactions_train') }}
        group by item_number
    ) as train on train.item_number = bought.item_number
),

-- The fewest events that a user or an item of the log has. If these are 3 or more, the log was probably cut to a k-core: users and items with fewer than
-- k events were left out until none remained.
core as (
    select least(min(n_user), min(n_item)) as k
    from (
        select
            count(*) over (partition by user_number) as n_user,
            count(*) over (partition by item_number) as n_item
        from {{ ref('interactions') }}
    ) as degrees
),

counted as (
    select
        'rejected_rows' as finding,
        count(problem) as n,
        count(*) as total,
        min(problem) as example
    from {{ ref('log_events') }}
    union all
    select
        'missing_words' as finding,
        count(word) as n,
        count(*) as total,
        min(word) as example
    from words
    union all
    {%- if var('event_column') is not none and (var('event_kinds') or var('event_weights')) %}
    select
        'kinds_without_events' as finding,
        count(case when found.event_kind is null then 1 end) as n,
        count(*) as total,
        min(case when found.event_kind is null then named.kind end) as example
    from (
        {%- for kind in (var('event_kinds') + var('event_weights').keys() | list) | unique %}
        select {{ quote_literal(kind) }} as kind{{ ' union all' if not loop.last }}
        {%- endfor %}
    ) as named
    left join (select distinct event_kind from {{ ref('log_events') }}) as found on found.event_kind = named.kind
    union all
    {%- endif %}
    select
        'scientific_ids' as finding,
        count(case when is_scientific then 1 end) as n,
        count(*) as total,
        min(case when is_scientific then id end) as example
    from (
        select
            id,
            id <> '' and regexp_replace(id, '^[0-9]([.,][0-9]+)?[eE][+][0-9]+$', '', 'g') = '' as is_scientific
        from (
            select distinct cast(user_id as varchar) as id from events
            union all
            select distinct cast(item_id as varchar) as id from events
        ) as ids
    ) as written
    union all
    select
        'padded_ids' as finding,
        count(case when id <> trim(id) then 1 end) as n,
        count(*) as total,
        min(case when id <> trim(id) then '"' || id || '"' end) as example
    from (
        select distinct cast(user_id as varchar) as id from events
        union all
        select distinct cast(item_id as varchar) as id from events
    ) as ids
    union all
    select
        'dominant_user' as finding,
        n,
        total,
        example
    from (
        select
            count(*) as n,
            cast(sum(count(*)) over () as bigint) as total,
            'user ' || cast(user_id as varchar) as example,
            row_number() over (order by count(*) desc, user_id) as place
        from events
        group by user_id
    ) as users
    where place = 1
    union all
    select
        'mixed_time_units' as finding,
        sum(n) - max(n) as n,
        sum(n) as total,
        min(example) || ' and ' || max(example) as example
    from time_units
    having count(*) > 1
    union all
    select
        'times_out_of_range' as finding,
        count(case when is_out then 1 end) as n,
        count(*) as total,
        min(case when is_out then written end) as example
    from (
        select
            written,
            -- Zero is no time of its own: it stands for one where the others are times. 788918400 is the beginning of 1995.
            (unit is null and is_zero and (select sum(n) from time_units) > 0)
            or seconds < 788918400
            or moment < cast('1995-01-01' as timestamp)
            {%- if target.type == 'duckdb' %}
            -- The clock of a cluster is not asked.
            or seconds > epoch(current_timestamp) + 172800
            or moment > make_timestamp(epoch_us(current_timestamp) + 172800000000)
            {%- endif %} as is_out
        from times
    ) as judged
    {%- if var('items') %}
    union all
    select
        'repeated_items' as finding,
        count(*) - count(distinct item_id) as n,
        count(*) as total,
        cast(null as varchar) as example
    from {{ ref('log_items') }}
    where item_id is not null
    {%- endif %}
    union all
    select
        'repeated_pairs' as finding,
        count(*) - count(distinct (user_id, item_id)) as n,
        count(*) as total,
        cast(null as varchar) as example
    from events
    union all
    select
        'outside_the_core' as finding,
        count(distinct user_id) + count(distinct item_id) - (select count(distinct user_id) + count(distinct item_id) from pairs) as n,
        count(distinct user_id) + count(distinct item_id) as total,
        cast(null as varchar) as example
    from events
    union all
    select
        'no_order' as finding,
        count(case when first_value = last_value then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from ordered_users
    union all
    select
        'tied_order' as finding,
        count(case when n_tied > 1 then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from pairs
    union all
    -- In the order of positions, an event that shares the target's step stands right before it.
    select
        'tied_targets' as finding,
        count(case when before_it.step = held_out.step then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from {{ ref('targets') }} as targets
    inner join {{ ref('interactions') }} as held_out
        on held_out.user_number = targets.user_number and held_out.position = targets.position
    left join {{ ref('interactions') }} as before_it
        on before_it.user_number = targets.user_number and before_it.position = targets.position - 1
    union all
    select
        'day_granular_times' as finding,
        count(case when {{ is_whole_day('order_value') }} then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from pairs
    union all
    select
        'order_is_text' as finding,
        count(case when typeof(order_value) = 'VARCHAR' then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from pairs
    union all
    select
        'tiny_users' as finding,
        count(case when n_interactions < 3 then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from {{ ref('users') }}
    union all
    select
        'k_core_trap' as finding,
        count(case when core.k >= 3 and bought_items.n_train < core.k then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from bought_items
    cross join core
    union all
    select
        'items_without_text' as finding,
        count(case when lacks_text then 1 end) as n,
        count(*) as total,
        cast(null as varchar) as example
    from bought_items
    union all
    select
        'few_users' as finding,
        case when count(*) < 200 then count(*) else 0 end as n,
        count(*) as total,
        cast(null as varchar) as example
    from {{ ref('users') }}
    union all
    select
        'few_items' as finding,
        case when count(*) < 100 then count(*) else 0 end as n,
        count(*) as total,
        cast(null as varchar) as example
    from bought_items
    {%- if var('items') %}
    union all
    select
        'items_not_in_the_items_file' as finding,
        count(distinct case when items.item_id is null then pairs.item_id end) as n,
        count(distinct pairs.item_id) as total,
        cast(null as varchar) as example
    from pairs
    left join {{ ref('log_items') }} as items on items.item_id = pairs.item_id
    {%- endif %}
    {%- for split in ['validation', 'test'] if splits_by_time() %}
    union all
    select
        'users_without_{{ split }}_target' as finding,
        count(*) - (select count(*) from {{ ref('targets') }} where split = '{{ split }}') as n,
        count(*) as total,
        cast(null as varchar) as example
    from {{ ref('users') }}
    {%- endfor %}
),

-- The list log_findings as a table; `place` is the order in which findings of one level are shown.
known as (
    {%- for finding in entries('log_findings') %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        {{ loop.index }} as place,
        '{{ finding.name }}' as finding,
        '{{ finding.unit }}' as unit,
        {{ double(finding.shown_above) }} as shown_above,
        {{ double(finding.warned_above) }} as warned_above,
        {{ quote_literal(finding.meaning) }} as meaning,
        {{ quote_literal(finding.what_to_do) }} as what_to_do
    {%- endfor %}
),

shares as (
    select
        known.*,
        counted.n,
        counted.total,
        counted.example,
        counted.n / cast(counted.total as double) as share
    from counted
    inner join known on known.finding = counted.finding
    where counted.n > 0
)

select
    finding,
    case when share > warned_above then 'warning' else 'note' end as level,
    cast(n as bigint) as n,
    cast(total as bigint) as total,
    unit,
    round(share, 4) as share,
    example,
    meaning,
    what_to_do
from shares
where share > shown_above
order by case when share > warned_above then 0 else 1 end, place
