-- models/discriminator/candidate_signals.sql: what the discriminator reads of each generated pair, one column a signal. To add one, add a column in
-- the macro candidate_signals and its name to the macro signal_list.
{{ config(enabled=var('discriminator') == 'signals', tags=['crossfit']) }}
{{ candidate_signals(
    ref('generated_interactions'),
    ref('interactions_train'),
    ref('training_swing_sums') if var('daily') else ref('swing_sums'),
    ref('transitions'),
    ref('generator_embeddings'),
    degrees=ref('training_degrees') if var('daily') else none
) }}
