-- models/discriminator/discriminator_examples.sql: what the discriminator learns from; var discriminator says which one.
{{ history_examples() if var('discriminator') == 'history' else signal_examples() }}
