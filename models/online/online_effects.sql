-- models/online/online_effects.sql: each arm against control, metric by metric, with intervals and tests; day 'all' is the result, days show how it came.
{{ config(enabled=var('online_logs') is not none, tags=['online']) }}
{{ online_comparisons(ref('online_metrics'), ['day']) }}
