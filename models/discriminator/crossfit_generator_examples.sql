-- models/discriminator/crossfit_generator_examples.sql: as generator_examples, on the cross-fit part.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ generator_examples(ref('interactions_crossfit')) }}
