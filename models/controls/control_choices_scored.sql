-- models/controls/control_choices_scored.sql: controls that choose among the generated candidates: a seeded draw, or the most likely ones.
{{ config(materialized='ephemeral') }}
{{ instances(
    [
        {'control': 'random_keep', 'preference': scrambled('seed') ~ ', item_number', 'enabled': 'random_keep' in var('controls')},
        {'control': 'log_probability', 'preference': 'rank', 'enabled': 'log_probability' in var('controls')},
    ],
    name='control_choices_{control}'
) }}
select
    user_number,
    item_number,
    row_number() over (partition by user_number order by {{ preference }}) as choice
from (
    select
        user_number,
        item_number,
        rank,
        {{ draw_seed(['user_number', 'item_number'], var('random_seed') + 1) }} as seed
    from {{ ref('scored_interactions') }}
) as seeded
