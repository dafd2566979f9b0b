-- models/discriminator/crossfit_pairs.sql: as swing_pairs, on the cross-fit part.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ swing_pairs(ref('interactions_crossfit'), recency='position', costs=ref('swing_costs')) }}
