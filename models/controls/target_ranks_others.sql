-- models/controls/target_ranks_others.sql: where the index of others' synthetic pairs ranks each target: a user queries the index of his own fold.
{{ config(enabled=var('others_folds') is not none, tags=['controls']) }}
{%- set folds = var('others_folds') or 1 %}
{#- fold and item in one number: a trigger meets the rows of its user's fold alone. #}
{%- set index -%}
(
    select
        trigger_item_number * {{ folds }} + fold as trigger_item_number,
        related_item_number,
        score
    from {{ ref('index_others') }}
)
{%- endset -%}
{%- set triggers -%}
(
    select
        triggers.target_number,
        triggers.trigger_item_number * {{ folds }} + targets.user_number % {{ folds }} as trigger_item_number,
        triggers.weight
    from {{ ref('evaluation_triggers') }} as triggers
    inner join {{ ref('targets') }} as targets on targets.target_number = triggers.target_number
)
{%- endset -%}
{{ target_ranks(control_recommender(), 'llm_i2i_others', index, triggers) }}
