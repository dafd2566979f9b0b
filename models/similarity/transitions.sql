-- models/similarity/transitions.sql: how often one item directly follows another, degree-normalised.
{{ config(enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ transitions(ref('interactions_train')) }}
