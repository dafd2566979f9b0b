-- models/similarity/swing_user_weights.sql: what a user counts for in Swing: w_u = (|I_u| + user_alpha) ^ -user_beta, I_u the user's items.
{{ instances(entries('swing_logs'), name='{prefix}swing_user_weights') }}
{{ config(materialized='ephemeral', frozen=frozen) }}

select
    user_number,
    power(count(*) + {{ double(var('user_alpha')) }}, -{{ double(var('user_beta')) }}) as user_weight,
    -- the u = v term, w_u ^ 2 / (swing_alpha + |I_u|).
    power(count(*) + {{ double(var('user_alpha')) }}, -2 * {{ double(var('user_beta')) }})
    / ({{ double(var('swing_alpha')) }} + count(*)) as self_term
from {{ ref(prefix ~ 'swing_events') }}
group by user_number
