-- models/online/online_user_days.sql: what each user was shown and did on each day. An order counts on the day of the exposure or click that is
-- credited with it. Users who met several arms are left out.
{%- set sums = 'n_requests n_retrieved latency_ms n_exposures n_clicks n_orders n_clicked_orders amount'.split() %}
{%- set facts = [
    (ref('online_requests'), 'day', {'n_requests': 1, 'n_retrieved': 'n_retrieved', 'latency_ms': 'latency_ms'}, 'true'),
    (ref('online_exposures'), 'day', {'n_exposures': 1}, 'true'),
    (ref('online_clicks'), 'day', {'n_clicks': 1}, 'true'),
    (ref('online_orders'), 'cast(exposed_at as date)', {'n_orders': 1, 'amount': 'amount'}, 'exposed_at is not null'),
    (ref('online_orders'), 'cast(clicked_at as date)', {'n_clicked_orders': 1}, 'clicked_at is not null'),
] %}
with facts as (
    {%- for relation, day, values, condition in facts %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        user_id,
        {{ day }} as day,
        {%- for name in sums %}
        cast({{ values.get(name, 0) }} as double) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}
    where {{ condition }}
    {%- endfor %}
)

select
    facts.user_id,
    users.arm,
    facts.day,
    {{ in_online_test('facts.day') }} as is_test,
    {%- for name in sums %}
    sum(facts.{{ name }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from facts
inner join {{ ref('online_users') }} as users on users.user_id = facts.user_id
where users.n_arms = 1
group by facts.user_id, users.arm, facts.day
