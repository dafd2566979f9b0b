-- models/discriminator/discriminator.sql: fine-tunes the Yes/No model, started from the generator's weights (eq. 3).
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    checkpoint
from fine_tune(
    (select prompt, completion, weight from {{ ref('discriminator_examples') }} order by user_id, position, draw),
    language_model := {{ language_model(var('language_model'), epochs=var('discriminator_epochs')) }},
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    initial := (select any_value(checkpoint) from {{ ref('generator') }}),
    random_seed := {{ var('random_seed') }}
)
