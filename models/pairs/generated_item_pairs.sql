-- models/pairs/generated_item_pairs.sql: what the generator expects after each item alone.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil') }}
{{ generated_item_pairs(ref('generator')) }}
