-- models/pairs/crossfit_pair_signals.sql: as pair_signals, from the cross-fit part alone.
{{ config(enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}
{{ pair_signals(ref('interactions_crossfit'), ref('crossfit_pairs'), ref('crossfit_generated_pairs'), ref('crossfit_embeddings')) }}
