-- models/staging/log_events.sql: every row of the log as the project reads it; the model to edit for a log that needs more than other column names.
{{ config(partition_by='file' if var('log_partitions') else none) }}
{%- if var('session_gap') is not none and var('log_partitions') %}
    {{- exceptions.raise_compiler_error("session_gap does not go with log_partitions: a session may begin in one file and end in the next; set log_partitions: false") }}
{%- endif %}
{%- if (var('event_kinds') or var('event_weights')) and var('event_column') is none %}
    {{- exceptions.raise_compiler_error("event_kinds and event_weights need event_column, the name of the column that says of which kind an event is") }}
{%- endif %}
{%- if var('basket_column') is not none and var('log_partitions') %}
    {{- exceptions.raise_compiler_error("basket_column does not go with log_partitions: a basket may begin in one file and end in the next; set log_partitions: false") }}
{%- endif %}
with log as (
    select
        {{ given(quoted(var('user_column'))) }} as user_id,
        {{ given(quoted(var('item_column'))) }} as item_id,
        {{ order_value() }} as order_value,
        {%- if var('event_column') is not none %}
        cast({{ quoted(var('event_column')) }} as varchar) as event_kind,
        {%- endif %}
        {%- if var('basket_column') is not none %}
        cast({{ quoted(var('basket_column')) }} as varchar) as basket,
        {%- endif %}
        -- Text files may have been pasted together with their headers, which makes text of a column of numbers, too.
        {%- if (var('interactions') | string).endswith('.parquet') %}
        false as is_header
        {%- else %}
        coalesce(
            cast({{ quoted(var('user_column')) }} as varchar) = {{ quote_literal(var('user_column')) }}
            and cast({{ quoted(var('item_column')) }} as varchar) = {{ quote_literal(var('item_column')) }},
            false
        ) as is_header
        {%- endif %}
    from {{ ref(published_format('events')) if published_format('events') else source('log', 'interactions') }}
    {%- if var('event_kinds') %}
    where cast({{ quoted(var('event_column')) }} as varchar) in ({% for kind in var('event_kinds') %}{{ quote_literal(kind) }}{{ ', ' if not loop.last }}{% endfor %})
    {%- endif %}
),

judged as (
    select
        user_id,
        item_id,
        order_value,
        {%- if var('event_column') is not none %}
        event_kind,
        {%- endif %}
        {%- if var('basket_column') is not none %}
        basket,
        {%- endif %}
        -- Such a row is set apart and counted (log_report); it does not vanish.
        case
            when is_header then 'the header once more'
            when user_id is null and item_id is null then 'neither user nor item'
            when user_id is null then 'no user'
            when item_id is null then 'no item'
            when order_value is null then {{ "'no order value'" if not var('order_format') else "'no order value that order_format reads'" }}
            {%- if var('session_gap') is not none %}
            when {{ time_in_seconds('order_value') }} is null then 'no time, which session_gap needs'
            {%- endif %}
        end as problem
    from log
)
{%- set rows = 'judged' %}
{%- if var('basket_column') is not none %}
{%- set rows = 'in_baskets' %},

-- A basket comes when its first event does, and so is one step.
in_baskets as (
    select
        user_id,
        item_id,
        {%- if var('event_column') is not none %}
        event_kind,
        {%- endif %}
        problem,
        case
            when basket is null then order_value
            else min(order_value) over (partition by problem is null, user_id, basket)
        end as order_value
    from judged
)
{%- endif %}
{%- if var('session_gap') is none %}

select
    user_id,
    item_id,
    order_value,
    {%- if var('event_column') is not none %}
    event_kind,
    {%- endif %}
    problem
from {{ rows }}
{%- else %},

-- A session begins where a user was away for longer than session_gap minutes.
gaps as (
    select
        *,
        {{ time_in_seconds('order_value') }} - lag({{ time_in_seconds('order_value') }}) over by_time > 60 * {{ var('session_gap') }} as is_new
    from {{ rows }}
    window by_time as (partition by problem is null, user_id order by {{ time_in_seconds('order_value') }}, item_id)
)

select
    cast(user_id as varchar) || '#' || (1 + count(case when is_new then 1 end) over by_time) as user_id,
    item_id,
    order_value,
    {%- if var('event_column') is not none %}
    event_kind,
    {%- endif %}
    problem
from gaps
window by_time as (
    partition by problem is null, user_id
    order by {{ time_in_seconds('order_value') }}, item_id
    rows between unbounded preceding and current row
)
{%- endif %}
