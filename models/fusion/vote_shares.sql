-- models/fusion/vote_shares.sql: how much a user counts in the mean that distilled_votes takes over an item's users: the age weight of the item among the
-- user's last events, as a share of those of all its users. The list vote_sets (models/fusion/part.yml and other parts) says which events and users.
{{ config(materialized='ephemeral') }}
{{ instances(entries('vote_sets'), name='{votes}_shares') }}
with recent_events as (
    select
        user_number,
        item_number,
        power(
            {{ double(var('distil_decay')) }},
            row_number() over (partition by user_number order by position desc) - 1
        ) as age_weight
    from {{ ref(events) }}
    {% if users %}
    where {{ users }}
    {% endif %}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('distil_triggers') }}
)

select
    user_number,
    item_number,
    age_weight / sum(age_weight) over (partition by item_number) as share
from recent_events
