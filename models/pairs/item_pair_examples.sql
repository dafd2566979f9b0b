-- models/pairs/item_pair_examples.sql: what the pair discriminator learns from, as prompts of bucket words answered Yes or No.
{{ config(tags=['crossfit']) }}
select
    signals.user_number,
    signals.age,
    {{ signals_prompt('judged_item_pairs') }} as prompt,
    case when signals.is_hit then 'Yes' else 'No' end as completion,
    signals.weight,
    signals.item_number,
    signals.related_item_number
from {{ ref('judged_item_pairs') }} as signals
cross join {{ ref('item_pair_bucket_edges') }} as cuts
