-- models/similarity/training_snapshots.sql: only with daily: true. what the signals read, as of the last training: the sums of Swing and the popularity of each
-- item. What a day adds to them must not change the prompts, and so the calls, of all who did nothing.
{{ instances([{'snapshot': 'training_swing_sums'}, {'snapshot': 'training_degrees'}], name='{snapshot}') }}
{{ config(enabled=var('daily') and var('discriminator') == 'signals', frozen=true) }}
{% if snapshot == 'training_swing_sums' %}
select
    item_number,
    related_item_number,
    user_pairs,
    self_terms,
    n_common_users,
    degree,
    related_degree
from {{ ref('swing_sums') }}
{% else %}
select
    item_number,
    count(*) as degree
from {{ ref('interactions_train') }}
group by item_number
{% endif %}
