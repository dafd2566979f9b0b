-- models/pairs/pair_cuts.sql: where each signal of a pair is cut into buckets, by its values on the judged pairs.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}
{{ signal_cuts(pair_signal_list(), ref('judged_pairs')) }}
