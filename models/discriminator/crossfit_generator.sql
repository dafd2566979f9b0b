-- models/discriminator/crossfit_generator.sql: a generator that never saw the events its candidates are judged by (method.md 2.11).
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ fine_tune_generator(ref('crossfit_generator_examples')) }}
