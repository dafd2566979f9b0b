-- models/filter_real/filter_discriminator.sql: the discriminator of one fold: it judges the users of the fold, and learns from the users of the other folds,
-- from random weights: the generator's weights have seen every user.
{{ instances(filter_folds(), name='filter_discriminator_{fold}') }}
{{ config(frozen=var('daily')) }}
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    checkpoint
from fine_tune(
    (
        select prompt, completion, weight
        from {{ ref('history_examples') }}
        where user_number % {{ var('filter_folds') }} + 1 <> {{ fold }}
        order by user_id, position, draw
    ),
    language_model := {{ language_model(var('language_model'), epochs=var('filter_epochs')) }},
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    random_seed := {{ var('random_seed') }}
)
