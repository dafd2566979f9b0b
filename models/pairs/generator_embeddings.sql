-- models/pairs/generator_embeddings.sql: where the generator places each item; text is folded in.
{{ config(enabled=var('discriminator') == 'signals') }}
{{ generator_embeddings(ref('generator')) }}
