-- models/report/log_report.sql: what the log is like, where that changes what figures mean: one row a finding, with its count, and what to do.
-- `shown_above`: the share from which it is worth a line; `warned_above`: from which it is a warning.
{%- set events = "(select user_id, item_id, order_value from " ~ ref('log_events') ~ " where problem is null) as events" %}
{%- set by_time = splits_by_time() %}
{%- set findings = [
    {
        'name': 'rejected_rows', 'unit': 'rows',
        'n': "select count(*) from " ~ ref('log_events') ~ " where problem is not null",
        'total': "select count(*) from " ~ ref('log_events'),
        'warned_above': 0,
        'meaning': 'rows lack a user, an item or an order value, or repeat the header, and are left out',
        'do': 'look at them: from log_events where problem is not null; mend the source, or declare the loss with max_rejected_share',
    },
    {
        'name': 'repeated_pairs', 'unit': 'events',
        'n': "select count(*) - count(distinct (user_id, item_id)) from " ~ events,
        'total': "select count(*) from " ~ events,
        'warned_above': 0.2,
        'meaning': 'events repeat an item that the user has met; the first counts, so that no target is an item seen before',
        'do': 'nothing, unless coming back is what you want to predict: item-to-item figures here are about new items only',
    },
    {
        'name': 'outside_the_core', 'unit': 'users and items',
        'n': "select count(distinct user_id) + count(distinct item_id) - (select count(distinct user_id) + count(distinct item_id) from " ~ ref('first_events') ~ ") from " ~ events,
        'total': "select count(distinct user_id) + count(distinct item_id) from " ~ events,
        'warned_above': 1,
        'meaning': 'users and items have fewer than min_events events in what is left and are out',
        'do': 'compare figures only with those of the same core',
    },
    {
        'name': 'no_order', 'unit': 'users with two events or more',
        'n': "select count(*) from (select user_id from " ~ ref('first_events') ~ " group by user_id having count(*) > 1 and min(order_value) = max(order_value)) as flat",
        'total': "select count(*) from (select user_id from " ~ ref('first_events') ~ " group by user_id having count(*) > 1) as counted",
        'warned_above': 0.2,
        'meaning': 'users have all their events at one order value: which is last, and so the target, is decided by item id alone',
        'do': 'name a column that really orders events (order_column); without one, figures say nothing of what comes next',
    },
    {
        'name': 'tied_order', 'unit': 'user-item pairs',
        'n': "select count(*) from (select count(*) over (partition by user_id, order_value) as n_tied from " ~ ref('first_events') ~ ") as tied where n_tied > 1",
        'total': "select count(*) from " ~ ref('first_events'),
        'warned_above': 0.1,
        'meaning': 'pairs share their order value with another of the same user and are ordered by item id',
        'do': 'use a finer time, or a number that counts the events; a model may learn the order of ids',
    },
    {
        'name': 'day_granular_times', 'unit': 'user-item pairs',
        'n': "select count(*) from " ~ ref('first_events') ~ " where " ~ is_whole_day('order_value'),
        'total': "select count(*) from " ~ ref('first_events'),
        'shown_above': 0.95, 'warned_above': 0.95,
        'meaning': 'times are whole days: the order within a day is that of item ids, and where ids follow the catalogue, part of what sequence models learn is that order',
        'do': 'use the time of day if there is one; otherwise set near_column to what the ids follow and read the figures without_near too',
    },
    {
        'name': 'order_is_text', 'unit': 'user-item pairs',
        'n': "select count(*) from " ~ ref('first_events') ~ " where typeof(order_value) = 'VARCHAR'",
        'total': "select count(*) from " ~ ref('first_events'),
        'warned_above': 0,
        'meaning': 'order values are text and sort letter by letter: 2024-09-30 is right, 30.09.2024 and 9 against 10 are wrong',
        'do': 'cast it in models/staging/log_events.sql, for example strptime(clicked_at, \'%d.%m.%Y\')',
    },
    {
        'name': 'tiny_users', 'unit': 'users',
        'n': "select count(*) from " ~ ref('users') ~ " where n_interactions < 3",
        'total': "select count(*) from " ~ ref('users'),
        'warned_above': 0.5,
        'meaning': 'users have fewer than three different items: they teach, but no target is held out for them',
        'do': 'read figures as those of the users with three or more',
    },
    {
        'name': 'k_core_trap', 'unit': 'items',
        'n': "select count(*) from (select distinct item_number from " ~ ref('interactions') ~ ") as every left join (select item_number, count(*) as n_train from " ~ ref('interactions_train') ~ " group by item_number) as counts on counts.item_number = every.item_number cross join (select least(min(n_user), min(n_item)) as k from (select count(*) over (partition by user_number) as n_user, count(*) over (partition by item_number) as n_item from " ~ ref('interactions') ~ ") as degrees) as core where core.k >= 3 and coalesce(counts.n_train, 0) < core.k",
        'total': "select count(distinct item_number) from " ~ ref('interactions'),
        'warned_above': 0,
        'meaning': 'items have fewer events in the train part than every item has in the whole log (a k-core): that alone gives away that they are held out somewhere',
        'do': 'keep long_tail_counts: full, so that weights do not follow train counts, and state it beside every long-tail figure; better, a log that is not cut to a core',
    },
    {
        'name': 'items_without_text', 'unit': 'items of the log',
        'n': "select count(distinct items.item_number) from " ~ ref('items') ~ " as items inner join " ~ ref('interactions') ~ " as interactions on interactions.item_number = items.item_number where items.text = cast(items.item_id as varchar)",
        'total': "select count(distinct item_number) from " ~ ref('interactions'),
        'warned_above': 0.5,
        'meaning': 'items have no text: text neighbours and the language models know them by their events only',
        'do': 'name an items file (var items; item_columns for its column names); text is worth more than any other setting',
    },
    {
        'name': 'few_users', 'unit': 'users',
        'n': "select count(*) from " ~ ref('users') ~ " having count(*) < 200",
        'total': "select count(*) from " ~ ref('users'),
        'warned_above': 0,
        'meaning': 'users are few: figures move by several percent with one user more or less',
        'do': 'read the intervals of paired_differences; try a longer stretch of the log',
    },
    {
        'name': 'few_items', 'unit': 'items',
        'n': "select count(*) from (select distinct item_number from " ~ ref('interactions') ~ ") as every having count(*) < 100",
        'total': "select count(distinct item_number) from " ~ ref('interactions'),
        'warned_above': 0,
        'meaning': 'items are few: lists of ten hold a tenth of them and more, and any method looks good',
        'do': 'compare with the arm of popular items (controls), not with figures of other logs',
    },
] %}
{%- if var('items') %}
    {%- do findings.append({
        'name': 'items_not_in_the_items_file', 'unit': 'items of the log',
        'n': "select count(distinct pairs.item_id) from " ~ ref('first_events') ~ " as pairs left join " ~ ref('log_items') ~ " as items on cast(items.item_id as varchar) = cast(pairs.item_id as varchar) where items.item_id is null",
        'total': "select count(distinct item_id) from " ~ ref('first_events'),
        'warned_above': 0.2,
        'meaning': 'items are bought but not in the items file',
        'do': 'check that both files write ids alike (007 or 7, upper or lower case), and item_columns: {item_id: ...}',
    }) %}
{%- endif %}
{%- for split in ['validation', 'test'] if by_time %}
    {%- do findings.append({
        'name': 'users_without_' ~ split ~ '_target', 'unit': 'users',
        'n': "select count(*) - (select count(*) from " ~ ref('targets') ~ " where split = '" ~ split ~ "') from " ~ ref('users'),
        'total': "select count(*) from " ~ ref('users'),
        'warned_above': 0.5,
        'meaning': 'users have no ' ~ split ~ ' target under protocol ' ~ var('protocol') ~ ' and drop out of its figures' ~ ': no event in its time, none before it, or first an item nobody had met',
        'do': 'choose cuts with more users on both sides (train_before, query_before), or a protocol that holds out the last events',
    }) %}
{%- endfor %}
with counted as (
    {%- for finding in findings %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        {{ loop.index }} as place,
        '{{ finding.name }}' as finding,
        coalesce(({{ finding.n }}), 0) as n,
        ({{ finding.total }}) as total,
        '{{ finding.unit }}' as unit,
        {{ double(finding.shown_above | default(0)) }} as shown_above,
        {{ double(finding.warned_above) }} as warned_above,
        {{ quote_literal(finding.meaning) }} as meaning,
        {{ quote_literal(finding.do) }} as what_to_do
    {%- endfor %}
),

shares as (
    select
        *,
        n / cast(total as double) as share
    from counted
    where n > 0
)

select
    finding,
    case when share > warned_above then 'warning' else 'note' end as level,
    cast(n as bigint) as n,
    cast(total as bigint) as total,
    unit,
    round(share, 4) as share,
    meaning,
    what_to_do
from shares
where share > shown_above
order by case when share > warned_above then 0 else 1 end, place
