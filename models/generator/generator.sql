-- models/generator/generator.sql: fine-tunes the generator; the rows are its training log, `checkpoint` names the weights (eq. 1-2).
{{ config(frozen=var('daily')) }}
{{ fine_tune_generator(ref('generator_examples')) }}
