-- models/generator/generator.sql: trains a generator (a small model from scratch, a pretrained one from its weights); the rows are its training log, and `checkpoint` names its weights (eq. 1-2). The second
-- generator starts from another seed and weighs all targets alike: it knows popular items better, as the first knows the long tail. The
-- cross-fitted ones never saw the events by which their proposals are judged. Under `generator_start: shared` the others start from them:
-- that leaks nothing, because a cross-fitted one saw a part of the same events; the other way round its proposals would know the answers.
-- Those of the whole log, which only the served index reads, run on from the evaluated ones.
{{ instances(entries('generators'), name='{prefix}generator') }}
{%- set goes_on = continues or (initial is not none and var('generator_start') == 'shared' and var('discriminator') == 'signals') %}
{{ config(frozen=var('daily')) }}
{#- The model keeps 24 terms of an item by default, and directions must not push them out. #}
{%- set n_directions = var('text_encoder_features') if var('text_encoder') is not none else 0 %}
{%- set wider = {'max_features_per_item': var('feature_limit') + n_directions} if n_directions else {} %}
select
    step,
    epoch,
    loss,
    learning_rate,
    seconds,
    checkpoint
from fine_tune(
    (
        select
            prompt,
            completions,
            {%- if weighs_equally %}
            list_transform(weights, lambda weight: case when weight > 0 then {{ double(1) }} else {{ double(0) }} end) as weights
            {%- else %}
            weights
            {%- endif %}
        from {{ ref(examples) }}
        order by user_id, position
    ),
    {%- if goes_on %}
    language_model := {{
        language_model(
            var('language_model'), epochs=var('whole_log_epochs') if continues else var('continued_epochs'), learning_rate=var('continued_learning_rate'), warmup=0.1, **wider
        )
    }},
    initial := (select any_value(checkpoint) from {{ ref(initial) }}),
    {%- else %}
    language_model := {{ language_model(var('language_model'), **wider) }},
    {%- endif %}
    items := (select item_token, features from {{ ref('item_features') }} order by item_number),
    random_seed := {{ var('random_seed') + (1 if weighs_equally else 0) }}
)
