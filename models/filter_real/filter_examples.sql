-- models/filter_real/filter_examples.sql: what the discriminators that filter real pairs learn from: the paper's examples (eq. 3) and the user's fold.
{{ config(frozen=var('daily')) }}
select
    user_id,
    position,
    draw,
    item_id,
    prompt,
    completion,
    weight,
    cast(user_number % {{ var('filter_folds') }} + 1 as integer) as fold,
    user_number,
    item_number
from {{ ref('history_examples') }}
