-- models/discriminator/signal_bucket_edges.sql: where each signal is cut into buckets, one row: quantiles of its values other than 0, half of the cuts
-- by the hits and half by the misses. Hits crowd where a signal is high: cuts by all rows alike would leave them in one bucket (validation R@10 of
-- the item pairs on Toys: .146 instead of .154).
{{ instances([
    {'edges': 'signal_bucket_edges', 'judged': 'crossfit_candidate_signals', 'enabled': true},
    {'edges': 'item_pair_bucket_edges', 'judged': 'labelled_item_pairs', 'enabled': var('fusion') == 'distil'},
], name='{edges}') }}
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{%- set n_cuts = var('signal_buckets') // 2 -%}
{%- set shares = [] -%}
{%- for place in range(1, n_cuts + 1) -%}
    {%- do shares.append(place / (n_cuts + 1)) -%}
{%- endfor %}
select
    {%- for signal in signals_of(judged) %}
    list_sort(list_distinct(list_concat(
        coalesce(quantile_disc({{ signal }}, {{ shares }}) filter (where {{ signal }} <> 0 and is_hit), []),
        coalesce(quantile_disc({{ signal }}, {{ shares }}) filter (where {{ signal }} <> 0 and not is_hit), [])
    ))) as {{ signal }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref(judged) }}
