-- models/pairs/crossfit_generated_pairs.sql: as generated_pairs, by the cross-fitted generator.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}
{{ generated_pairs(ref('crossfit_generator')) }}
