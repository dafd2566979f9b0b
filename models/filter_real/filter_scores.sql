-- models/filter_real/filter_scores.sql: confidence in each real pair with a history, by the discriminator of the user's fold.
with
{% for fold in range(1, var('filter_folds') + 1) %}
answers_{{ fold }} as (
    select
        user_id,
        item_id,
        position,
        cast({{ fold }} as integer) as fold,
        user_number,
        item_number,
        score_interaction(
            prompt,
            model := (select any_value(checkpoint) from {{ ref('filter_discriminator_' ~ fold) }})
        ) as answer
    from {{ ref('history_examples') }}
    where completion = 'Yes' and user_number % {{ var('filter_folds') }} + 1 = {{ fold }}
),
{% endfor %}
answers as (
    {% for fold in range(1, var('filter_folds') + 1) %}
    {% if not loop.first %}
    union all
    {% endif %}
    select user_id, item_id, position, fold, user_number, item_number, answer from answers_{{ fold }}
    {% endfor %}
)

select
    user_id,
    item_id,
    position,
    fold,
    answer.confidence as confidence,
    answer.margin as margin,
    user_number,
    item_number
from answers
