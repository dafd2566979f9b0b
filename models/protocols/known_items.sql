-- models/protocols/known_items.sql: the items that somebody had met before each split's point in time under protocol global_time; no others compete.
{{ config(enabled=splits_by_time()) }}
with first_times as (
    select
        item_number,
        min(timestamp) as first_time
    from {{ ref('interactions') }}
    group by item_number
)

{%- for split, cut in [('validation', 'train_before'), ('test', 'query_before')] %}
{%- if not loop.first %}
union all
{%- endif %}
select
    '{{ split }}' as split,
    first_times.item_number,
    -- The last bit of target_number.
    {{ loop.index0 }} as is_test
from first_times
cross join {{ ref('time_cuts') }} as time_cuts
where first_times.first_time < time_cuts.{{ cut }}
{%- endfor %}
