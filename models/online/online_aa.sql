-- models/online/online_aa.sql: A/A: random halves of control compared as arms are. Nothing differs, so hardly more than online_alpha of them may seem to.
select
    split,
    metric,
    method,
    difference,
    round(z, 9) as z,
    round(p_value, 9) as p_value,
    n_control_users,
    n_users
from {{ ref('online_half_effects') }}
