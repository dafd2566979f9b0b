-- models/pairs/crossfit_second_generated_item_pairs.sql: as second_generated_item_pairs, by the cross-fitted one.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil' and var('second_generator'), tags=['crossfit']) }}
{{ generated_item_pairs(ref('crossfit_second_generator')) }}
