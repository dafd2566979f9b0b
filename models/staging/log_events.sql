-- models/staging/log_events.sql: every row of the log as the project reads it; the model to edit for a log that needs more than other column names.
{{ config(partition_by='file' if var('log_partitions') else none) }}
with log as (
    select
        {{ given(quoted(var('user_column'))) }} as user_id,
        {{ given(quoted(var('item_column'))) }} as item_id,
        {{ order_value() }} as order_value,
        -- Text files may have been pasted together with their headers, which makes text of a column of numbers, too.
        {%- if var('interactions').endswith('.parquet') %}
        false as is_header
        {%- else %}
        coalesce(
            cast({{ quoted(var('user_column')) }} as varchar) = {{ quote_literal(var('user_column')) }}
            and cast({{ quoted(var('item_column')) }} as varchar) = {{ quote_literal(var('item_column')) }},
            false
        ) as is_header
        {%- endif %}
    from {{ ref(published_format('events')) if published_format('events') else source('log', 'interactions') }}
)

select
    user_id,
    item_id,
    order_value,
    -- Such a row is set apart and counted (log_report); it does not vanish.
    case
        when is_header then 'the header once more'
        when user_id is null and item_id is null then 'neither user nor item'
        when user_id is null then 'no user'
        when item_id is null then 'no item'
        when order_value is null then {{ "'no order value'" if not var('order_format') else "'no order value that order_format reads'" }}
    end as problem
from log
