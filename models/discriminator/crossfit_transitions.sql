-- models/discriminator/crossfit_transitions.sql: as transitions, on the cross-fit part.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ transitions(ref('interactions_crossfit')) }}
