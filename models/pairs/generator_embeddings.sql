-- models/pairs/generator_embeddings.sql: where the generator places each item; text is folded in.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals') }}
{{ generator_embeddings(ref('generator')) }}
