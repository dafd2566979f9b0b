-- models/discriminator/crossfit_swing_sums.sql: as swing_sums, on the cross-fit part.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ swing_sums(ref('interactions_crossfit'), recency='position', costs=ref('swing_costs')) }}
