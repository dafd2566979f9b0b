-- models/staging/published_logs.sql: logs as they are published, by the var log_format, under our column names: their events (published_events), and the items
-- that they have text for (published_items). docs/formats.md says which files each of them is.
{{ instances([
    {'records': 'published_events', 'enabled': published_format('events') == 'published_events'},
    {'records': 'published_items', 'enabled': published_format('items') == 'published_items' and var('items') is not none},
], name='{records}') }}
{%- set format = var('log_format') %}
{%- if records == 'published_events' %}
{%- if format == 'movielens' %}

-- user, film, rating, seconds since 1970; every rating is an event, whatever its stars.
select
    "userId" as user_id,
    "movieId" as item_id,
    "timestamp" as timestamp,
    rating
from {{ source('published', 'event_rows') }}
{%- elif format == 'retailrocket' %}

-- Views, carts and purchases, in milliseconds since 1970.
select
    visitorid as user_id,
    itemid as item_id,
    "timestamp" as timestamp,
    event
from {{ source('published', 'event_rows') }}
{%- elif format == 'recbole' %}

-- The type behind each column's name is left out: user_id:token is user_id.
select columns('^(.*):(?:token|token_seq|float|float_seq)$') as '\1'
from {{ source('published', 'event_rows') }}
{%- elif format == 'yelp' %}

select
    user_id,
    business_id as item_id,
    "date" as timestamp,
    stars as rating
from {{ source('published', 'event_objects') }}
{%- elif format == 'online_retail' %}

-- One row per line of an invoice; what was sent back has a negative quantity. Text has the month first. Some copies say Customer ID: user_column.
select
    {{ quoted(published_column('user')) }} as {{ quoted(var('user_column')) }},
    "StockCode" as item_id,
    coalesce(
        try_cast(cast("InvoiceDate" as varchar) as timestamp),
        try_strptime(cast("InvoiceDate" as varchar), '%m/%d/%Y %H:%M')
    ) as timestamp
from {{ source('published', 'event_objects') }}
where "Quantity" > 0 and {{ quoted(published_column('user')) }} is not null
{%- elif format == 'mind' %}

-- The news that were clicked (-1) when they were shown, and, before them, the history that each row of a user repeats, a second apart.
select
    user_id,
    left(shown, -2) as item_id,
    time as timestamp
from (
    select
        user_id,
        try_strptime(time, '%m/%d/%Y %I:%M:%S %p') as time,
        unnest(string_split(impressions, ' ')) as shown
    from {{ source('published', 'event_rows') }}
) as impressions
where ends_with(shown, '-1')
union all
select
    user_id,
    history[place] as item_id,
    first_time - to_seconds(len(history) + 1 - place) as timestamp
from (
    select
        user_id,
        first_time,
        history,
        unnest(range(1, len(history) + 1)) as place
    from (
        select
            user_id,
            min(try_strptime(time, '%m/%d/%Y %I:%M:%S %p')) as first_time,
            string_split(max(history), ' ') as history
        from {{ source('published', 'event_rows') }}
        group by user_id
        having max(history) is not null
    ) as users
) as places
{%- elif format == 'otto' %}

-- A session is a user; clicks, carts and orders, in milliseconds since 1970.
select
    session as user_id,
    event.aid as item_id,
    event.ts as timestamp,
    event.type as event
from (
    select
        session,
        unnest(events) as event
    from {{ source('published', 'event_objects') }}
) as sessions
{%- else %}

-- sequences: each line is a user and that user's items, in order.
select
    words[1] as user_id,
    words[place] as item_id,
    place as timestamp
from (
    select
        words,
        unnest(range(2, len(words) + 1)) as place
    from (select string_split_regex(trim(line), '\s+') as words from {{ source('published', 'event_lines') }}) as lines
) as places
{%- endif %}
{%- else %}
{%- if format == 'movielens' %}

select
    "movieId" as item_id,
    title,
    {{ "null" if var('items').endswith('.item') else "replace(nullif(genres, '(no genres listed)'), '|', ' > ')" }} as category
from {{ source('published', 'item_rows') }}
{%- elif format == 'retailrocket' %}

-- The latest category of each item; its other properties are hashed.
select
    itemid as item_id,
    arg_max("value", "timestamp") as category
from {{ source('published', 'item_rows') }}
where property = 'categoryid'
group by itemid
{%- elif format == 'recbole' %}

-- item_columns says which of its columns are ours, such as {title: movie_title}.
select columns('^(.*):(?:token|token_seq|float|float_seq)$') as '\1'
from {{ source('published', 'item_rows') }}
{%- elif format == 'yelp' %}

select
    business_id as item_id,
    name as title,
    categories as category
from {{ source('published', 'item_objects') }}
{%- elif format == 'online_retail' %}

-- The text that most lines of an item have; the items file is the log itself.
select
    "StockCode" as item_id,
    "Description" as title
from {{ source('published', 'item_objects') }}
where "Description" is not null
group by "StockCode", "Description"
qualify row_number() over (partition by "StockCode" order by count(*) desc, "Description") = 1
{%- else %}

-- mind
select
    news_id as item_id,
    title,
    concat_ws(' > ', category, subcategory) as category
from {{ source('published', 'item_rows') }}
{%- endif %}
{%- endif %}
