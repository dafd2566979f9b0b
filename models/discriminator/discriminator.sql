-- models/discriminator/discriminator.sql: trains the Yes/No models (eq. 3): discriminator judges a user's candidates, item_pair_discriminator (only with
-- fusion distil) the item pairs. With judge small both are small models that are trained from nothing, on the words of their prompts alone: they learn
-- from all folds of users but 0 and 1, keep the weights that judge fold 1 best, and start again from another seed if these have learned nothing
-- (`attempt`). With judge boosting, the default, or logistic there is no model to train: scored_interactions and scored_item_pairs fit it where they need it.
{{ instances([
    {'judge': 'discriminator', 'enabled': var('judge') == 'small' or var('discriminator') != 'signals'},
    {
        'judge': 'item_pair_discriminator',
        'enabled': var('judge') == 'small' and var('discriminator') == 'signals' and var('fusion') == 'distil',
    },
], name='{judge}') }}
{{ config(frozen=var('daily')) }}
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    validation_loss,
    validation_auc,
    attempt,
    checkpoint
from fine_tune(
    {%- if judge == 'item_pair_discriminator' %}
    {#- Of item pairs: from scratch, on words only. #}
    (select prompt, completion, weight from {{ ref('item_pair_examples') }} where fold > 1 order by user_number, item_number, related_item_number),
    validation := (
        select prompt, completion, weight from {{ ref('item_pair_examples') }} where fold = 1 order by user_number, item_number, related_item_number
    ),
    language_model := {{ language_model(var('language_model'), **var('pair_model')) }},
    {%- elif var('discriminator') == 'signals' %}
    {#- Of candidates by their signals: from scratch, on words only. #}
    (select prompt, completion, weight from {{ ref('discriminator_examples') }} where fold > 1 order by user_id, position, draw),
    validation := (select prompt, completion, weight from {{ ref('discriminator_examples') }} where fold = 1 order by user_id, position, draw),
    language_model := {{ language_model(var('language_model'), **var('signal_model')) }},
    {%- else %}
    {#- Of candidates by the user's history: started from the generator's weights. #}
    (select prompt, completion, weight from {{ ref('discriminator_examples') }} order by user_id, position, draw),
    language_model := {{ language_model(var('language_model'), epochs=var('discriminator_epochs')) }},
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    initial := (select any_value(checkpoint) from {{ ref('generator') }}),
    {%- endif %}
    random_seed := {{ var('random_seed') }}
)
