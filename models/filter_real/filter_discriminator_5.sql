-- models/filter_real/filter_discriminator_5.sql: the discriminator that judges the real pairs of fold 5's users and has not seen them.
{{ config(frozen=var('daily'), enabled=filters_real() == 'true' and var('filter_folds') >= 5, tags=['filter_real']) }}
{{ filter_discriminator(5) }}
