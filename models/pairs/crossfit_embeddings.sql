-- models/pairs/crossfit_embeddings.sql: as generator_embeddings, by the cross-fitted generator.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ generator_embeddings(ref('crossfit_generator')) }}
