-- models/similarity/transitions.sql: how often one item directly follows another, degree-normalised.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ transitions(ref('interactions_train')) }}
