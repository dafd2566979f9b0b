-- models/split/time_cuts.sql: the two points in time of protocol global_time: models see events before the first, test queries events before the second.
{{ config(enabled=splits_by_time()) }}
select
    {{ time_cut('train_before') }} as train_before,
    {{ time_cut('query_before') }} as query_before
from {{ ref('first_events') }}
