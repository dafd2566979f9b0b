-- models/discriminator/discriminator.sql: fine-tunes the Yes/No model (eq. 3). history: started from the generator's weights; signals: from scratch,
-- on words only.
{{ config(frozen=var('daily')) }}
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    checkpoint
from fine_tune(
    (select prompt, completion, weight from {{ ref('discriminator_examples') }} order by user_id, position, draw),
    {%- if var('discriminator') == 'history' %}
    language_model := {{ language_model(var('language_model'), epochs=var('discriminator_epochs')) }},
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    initial := (select any_value(checkpoint) from {{ ref('generator') }}),
    {%- else %}
    language_model := {{ language_model(var('language_model'), **var('signal_model')) }},
    {%- endif %}
    random_seed := {{ var('random_seed') }}
)
