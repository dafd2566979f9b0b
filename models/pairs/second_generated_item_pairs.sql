-- models/pairs/second_generated_item_pairs.sql: what the second generator expects after each item alone.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil' and var('second_generator')) }}
{{ generated_item_pairs(ref('second_generator')) }}
