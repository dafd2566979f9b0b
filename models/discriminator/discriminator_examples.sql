-- models/discriminator/discriminator_examples.sql: what the language models that judge learn from, as prompts answered Yes or No. Under the default
-- (discriminator: signals) a prompt has one word for each signal, the signal and its bucket, such as `swing_recent_7 place_0`: the model never
-- sees the item's text (macro signals_prompt, which reads the aliases signals and cuts). With discriminator: history it is the paper's.
{{ config(frozen=var('daily')) }}
{% if var('discriminator') == 'signals' %}
select
    signals.user_id,
    signals.item_id,
    cast(signals.rank as integer) as position,
    0 as draw,
    signals.fold,
    {{ signals_prompt('labelled_candidates') }} as prompt,
    case when signals.is_hit then 'Yes' else 'No' end as completion,
    signals.balanced_weight as weight,
    signals.user_number,
    signals.item_number
from {{ ref('labelled_candidates') }} as signals
cross join {{ ref('signal_bucket_edges') }} as cuts
{% else %}
select
    user_id,
    position,
    draw,
    item_id,
    history,
    prompt,
    completion,
    weight,
    user_number,
    item_number
from {{ ref('history_examples') }}
{% endif %}
