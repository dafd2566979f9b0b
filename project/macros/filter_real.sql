{# Filtering real pairs (var filter_real; method.md 2.6): a discriminator that never saw a user judges his pairs. #}

{# true or false, as text. YAML reads a bare off as false; both mean off. #}
{% macro filters_real() -%}
{{ 'false' if var('filter_real') in ['off', false] else 'true' }}
{%- endmacro %}

{# The discriminator of one fold (from 1): learns from the users of the other folds, from random weights: the generator's have seen every user. #}
{% macro filter_discriminator(fold) -%}
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
        from {{ ref('filter_examples') }}
        where fold <> {{ fold }}
        order by user_id, position, draw
    ),
    language_model := {{ language_model(var('language_model'), epochs=var('filter_epochs')) }},
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    random_seed := {{ var('random_seed') }}
)
{%- endmacro %}

{# The real events the augmented recommender learns from: user_number, item_number, position and weight among others. #}
{% macro real_events() -%}
{{ ref('refined_interactions' if filters_real() == 'true' else 'interactions_train') }}
{%- endmacro %}

{# The weight column of fused events for swing_sums, empty where all of them weigh 1. #}
{% macro fused_weight() -%}
{%- set appended = {'append': true, 'distil': false}[var('fusion')] -%}
{{ 'weight' if var('filter_real') == 'downweight' or (appended and var('synthetic_weight') != 1) else '' }}
{%- endmacro %}
