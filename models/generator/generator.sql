-- models/generator/generator.sql: fine-tunes the generator; the rows are its training log, `checkpoint` names the weights (eq. 1-2).
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    checkpoint
from fine_tune(
    (select prompt, completions, weights from {{ ref('generator_examples') }} order by user_id, position),
    language_model := {{ language_model(var('language_model')) }},
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    random_seed := {{ var('random_seed') }}
)
