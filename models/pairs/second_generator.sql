-- models/pairs/second_generator.sql: another generator, to which all targets weigh the same (eq. 1): it knows popular items better, as the first knows the long tail.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil' and var('second_generator')) }}
{{ fine_tune_generator(ref('generator_examples'), equally=true) }}
