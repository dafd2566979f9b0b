-- models/online/online_latency_quantiles.sql: the latency that 50, 95 and 99 percent of an arm's requests stay below, for each day and for all days.
{%- for p in [50, 95, 99] %}
{%- if not loop.first %}
union all
{%- endif %}
select
    day,
    arm,
    'latency_p{{ p }}' as metric,
    {{ double(p / 100) }} as share,
    quantile_cont(latency_ms, {{ double(p / 100) }}) as value
from {{ ref('online_latencies') }}
group by day, arm
{%- endfor %}
