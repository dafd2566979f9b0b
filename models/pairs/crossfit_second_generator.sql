-- models/pairs/crossfit_second_generator.sql: as second_generator, on the cross-fit part.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil' and var('second_generator'), tags=['crossfit']) }}
{{ fine_tune_generator(ref('crossfit_generator_examples'), equally=true) }}
