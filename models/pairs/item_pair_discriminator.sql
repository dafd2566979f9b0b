-- models/pairs/item_pair_discriminator.sql: fine-tunes the Yes/No model of item pairs (eq. 3), from scratch, on words only.
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    checkpoint
from fine_tune(
    (select prompt, completion, weight from {{ ref('item_pair_examples') }} order by user_number, item_number, related_item_number),
    language_model := {{ language_model(var('language_model'), **var('pair_model')) }},
    random_seed := {{ var('random_seed') }}
)
