-- models/discriminator/crossfit_prompts.sql: as generator_prompts, one event earlier.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ generator_prompts(ref('interactions_crossfit')) }}
