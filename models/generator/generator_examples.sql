-- models/generator/generator_examples.sql: what the generator learns from (eq. 1-2): histories and next items, with the loss weight
-- alpha for long-tail target items and beta for the others. Train part only.
{{ config(frozen=var('daily')) }}
{{ generator_examples(ref('interactions_train')) }}
