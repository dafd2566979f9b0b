-- models/pairs/item_pair_examples.sql: labelled_item_pairs as prompts answered Yes or No. A prompt has one word for each signal, the signal and its bucket, such as
-- `swing_7 text_none popularity_3` (macro signals_prompt, which reads the aliases signals and cuts).
{{ config(tags=['crossfit']) }}
select
    signals.user_number,
    signals.age,
    signals.fold,
    {{ signals_prompt('labelled_item_pairs') }} as prompt,
    case when signals.is_hit then 'Yes' else 'No' end as completion,
    signals.balanced_weight as weight,
    signals.item_number,
    signals.related_item_number
from {{ ref('labelled_item_pairs') }} as signals
cross join {{ ref('item_pair_bucket_edges') }} as cuts
