-- models/discriminator/signal_bucket_edges.sql: where each signal is cut into buckets, by its values on the cross-fit candidates.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ signal_bucket_edges(signal_list(), ref('crossfit_signals')) }}
