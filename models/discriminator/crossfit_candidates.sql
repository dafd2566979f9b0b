-- models/discriminator/crossfit_candidates.sql: what the cross-fitted generator expects of each user.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ generated_interactions(ref('crossfit_generator'), ref('crossfit_prompts'), ref('interactions_crossfit')) }}
