-- models/discriminator/crossfit_generator.sql: a generator that never saw the events its candidates are judged by (findings.md 4).
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ fine_tune_generator(ref('crossfit_generator_examples')) }}
