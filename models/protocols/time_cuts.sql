-- models/protocols/time_cuts.sql: the two points in time that split the log under protocol global_time: models see the events before the
-- first, test queries the events before the second.
{{ config(enabled=splits_by_time()) }}
select
    {{ time_cut('train_before') }} as train_before,
    {{ time_cut('query_before') }} as query_before
from {{ ref('first_events') }}
