-- models/discriminator/crossfit_signals.sql: the signals of each cross-fit candidate, and whether it was the event held out: what the discriminator learns from.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals', tags=['crossfit']) }}

with signals as (
    {{ candidate_signals(ref('crossfit_candidates'), ref('interactions_crossfit'), ref('crossfit_swing_sums'), ref('crossfit_transitions'), ref('crossfit_embeddings')) | indent(4) }}
)
select
    signals.*,
    targets.item_number = signals.item_number as is_hit
from signals
inner join {{ ref('crossfit_targets') }} as targets on targets.user_number = signals.user_number
