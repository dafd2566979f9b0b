-- models/discriminator/signal_cuts.sql: where each signal is cut into buckets: quantiles of its values other than 0 on the cross-fit candidates.
{{ config(enabled=var('discriminator') == 'signals', tags=['crossfit']) }}

select
    {%- for signal in signal_list().split() %}
    quantile_disc({{ signal }}, [{% for i in range(1, var('signal_buckets')) %}{{ i / var('signal_buckets') }}{{ ', ' if not loop.last }}{% endfor %}])
        filter (where {{ signal }} <> 0) as {{ signal }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('crossfit_signals') }}
