-- models/pairs/crossfit_second_embeddings.sql: as second_embeddings, by the cross-fitted one.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil' and var('second_generator'), tags=['crossfit']) }}
{{ generator_embeddings(ref('crossfit_second_generator')) }}
