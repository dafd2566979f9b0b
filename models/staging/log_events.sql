-- models/staging/log_events.sql: every row of the log as the project reads it; the model to edit for a log that needs more than other column names.
{{ config(partition_by='file' if var('log_partitions') else none) }}
select
    {{ quoted(var('user_column')) }} as user_id,
    {{ quoted(var('item_column')) }} as item_id,
    {{ quoted(var('order_column')) }} as order_value,
    -- Such a row is set apart and counted (log_report); it does not vanish.
    case
        when {{ quoted(var('user_column')) }} is null and {{ quoted(var('item_column')) }} is null then 'neither user nor item'
        when {{ quoted(var('user_column')) }} is null then 'no user'
        when {{ quoted(var('item_column')) }} is null then 'no item'
        when {{ quoted(var('order_column')) }} is null then 'no order value'
        {%- if not var('interactions').endswith('.parquet') %}
        -- Text files may have been pasted together with their headers, which makes text of a column of numbers, too.
        when
            cast({{ quoted(var('user_column')) }} as varchar) = {{ quote_literal(var('user_column')) }}
            and cast({{ quoted(var('item_column')) }} as varchar) = {{ quote_literal(var('item_column')) }}
            then 'the header once more'
        {%- endif %}
    end as problem
from {{ ref('amazon_reviews') if var('log_format') == 'amazon' else source('log', 'interactions') }}
