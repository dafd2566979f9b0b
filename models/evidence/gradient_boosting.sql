-- models/evidence/gradient_boosting.sql: gradient boosting on the discriminator's signals, learnt from the same cross-fit candidates: what is attainable with
-- them. A reference for discriminator_auc, never part of the index.
{{ config(enabled=var('gradient_boosting_reference') and var('discriminator') == 'signals', tags=['reference']) }}

select
    user_number,
    item_number,
    confidence
from gradient_boosting_scores(
    (select is_hit, {{ signals_of('candidate_signals') | join(', ') }} from {{ ref('crossfit_candidate_signals') }} order by user_number, item_number),
    candidates := (
        select user_number, item_number, {{ signals_of('candidate_signals') | join(', ') }} from {{ ref('candidate_signals') }} order by user_number, item_number
    ),
    random_seed := {{ var('random_seed') }}
)
