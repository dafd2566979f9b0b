-- models/pairs/second_embeddings.sql: where the second generator places each item.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil' and var('second_generator')) }}
{{ generator_embeddings(ref('second_generator')) }}
