-- models/pairs/item_pair_examples.sql: what the pair discriminator learns from, as prompts of bucket words answered Yes or No.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}

select
    signals.user_number,
    signals.age,
    {{ signals_prompt(item_pair_feature_list()) }} as prompt,
    case when signals.is_hit then 'Yes' else 'No' end as completion,
    signals.weight,
    signals.item_number,
    signals.related_item_number
from {{ ref('judged_item_pairs') }} as signals
cross join {{ ref('item_pair_bucket_edges') }} as cuts
