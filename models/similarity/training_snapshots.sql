-- models/similarity/training_snapshots.sql: only with daily: true. what the signals read, as of the last training: the sums of Swing and the popularity of each
-- item. What a day adds to them must not change the prompts, and so the calls, of all who did nothing.
{{ instances([
    {'snapshot': 'training_swing_sums', 'events': 'interactions_train', 'sums': 'swing_sums', 'enabled': true},
    {'snapshot': 'training_degrees', 'events': 'interactions_train', 'sums': none, 'enabled': true},
    {'snapshot': 'whole_training_swing_sums', 'events': 'interactions', 'sums': 'whole_swing_sums', 'enabled': serves_whole_log()},
    {'snapshot': 'whole_training_degrees', 'events': 'interactions', 'sums': none, 'enabled': serves_whole_log()},
], name='{snapshot}') }}
{{ config(enabled=var('daily') and var('discriminator') == 'signals', frozen=true) }}
{% if sums %}
select
    item_number,
    related_item_number,
    user_pairs,
    self_terms,
    n_common_users,
    degree,
    related_degree
from {{ ref(sums) }}
{% else %}
select
    item_number,
    count(*) as degree
from {{ ref(events) }}
group by item_number
{% endif %}
