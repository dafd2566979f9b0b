-- models/pairs/crossfit_generated_item_pairs.sql: as generated_item_pairs, by the cross-fitted generator.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}
{{ generated_item_pairs(ref('crossfit_generator')) }}
