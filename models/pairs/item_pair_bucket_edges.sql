-- models/pairs/item_pair_bucket_edges.sql: where each signal of a pair is cut into buckets, by its values on the judged pairs.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}
{{ signal_bucket_edges(item_pair_feature_list(), ref('judged_item_pairs')) }}
