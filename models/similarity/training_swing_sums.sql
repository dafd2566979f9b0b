-- models/similarity/training_swing_sums.sql: var daily: the sums of Swing that the signals are read off, as of the last training. What a day adds to them must not
-- change the prompts, and so the calls, of all who did nothing.
{{ config(enabled=var('daily') and var('discriminator') == 'signals', frozen=true) }}
select
    item_number,
    related_item_number,
    user_pairs,
    self_terms,
    n_common_users,
    degree,
    related_degree
from {{ ref('swing_sums') }}
