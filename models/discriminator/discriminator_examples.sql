-- models/discriminator/discriminator_examples.sql: what the discriminator learns from; var discriminator says which one.
{{ config(frozen=var('daily')) }}
{{ history_examples() if var('discriminator') == 'history' else signal_examples() }}
