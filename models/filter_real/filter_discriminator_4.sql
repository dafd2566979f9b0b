-- models/filter_real/filter_discriminator_4.sql: the discriminator that judges the real pairs of fold 4's users and has not seen them.
{{ config(frozen=var('daily'), enabled=filters_real() == 'true' and var('filter_folds') >= 4, tags=['filter_real']) }}
{{ filter_discriminator(4) }}
