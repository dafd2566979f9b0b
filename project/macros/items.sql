{# Text of items, and the terms in it: shared by the catalogue and by what comes before it under semantic ids. #}

{# CTEs up to `one_per_item`: item_id, title, brand, category, keywords and text of the items file. `ids`: a relation with item_id, for its type. #}
{% macro one_text_per_item(ids) -%}
item_text as (
    -- the empty row names the columns we read: those the file lacks come out null.
    select
        null::varchar as title,
        null::varchar as brand,
        null::varchar as category,
        null::varchar as category_path,
        null::varchar as keywords,
        null::varchar as text
    where false
    {% if var('items') %}
    union all by name
    select * from {{ ref('log_items') }}
    {% else %}
    union all by name
    select item_id from {{ ids }} where false
    {% endif %}
),

cleaned as (
    select
        item_id,
        nullif(trim(cast(title as varchar)), '') as title,
        nullif(trim(cast(brand as varchar)), '') as brand,
        nullif(trim(coalesce(cast(category_path as varchar), cast(category as varchar))), '') as category,
        nullif(trim(cast(keywords as varchar)), '') as keywords,
        nullif(trim(cast(text as varchar)), '') as text
    from item_text
),

one_per_item as (
    -- a file that repeats an item: the first text by its own order, the same on every run.
    select
        item_id,
        title,
        brand,
        category,
        keywords,
        text
    from cleaned
    qualify row_number() over (
        partition by item_id
        order by title nulls last, brand nulls last, category nulls last, keywords nulls last, text nulls last
    ) = 1
)
{%- endmacro %}

{# TF-IDF of each item's text (models/generator/item_terms.sql). `items`: item_number, title, brand, category, keywords, text. #}
{% macro item_terms(items) -%}
with item_words as (
    select
        item_number,
        regexp_extract_all(lower(coalesce(title, keywords, text)), '[\p{L}\p{N}]+') as words,
        regexp_extract_all(lower(brand), '[\p{L}\p{N}]+') as brand_words,
        string_split_regex(lower(category), '\s*[>|]\s*') as levels
    from {{ items }}
),

word_places as (
    select
        item_number,
        words,
        unnest(range(1, len(words) + 1)) as place
    from item_words
),

level_places as (
    select
        item_number,
        levels,
        unnest(range(1, len(levels) + 1)) as place
    from item_words
),

terms as (
    select item_number, 'word:' || words[place] as name from word_places
    union
    select item_number, 'pair:' || words[place] || ' ' || words[place + 1] from word_places where place < len(words)
    union
    -- a title often starts with the brand; the same name as a brand's, so that the two meet.
    select item_number, 'brand:' || words[1] from word_places where place = 1
    union
    select item_number, 'brand:' || words[1] || ' ' || words[2] from word_places where place = 2
    union
    select item_number, 'brand:' || array_to_string(brand_words, ' ') from item_words where len(brand_words) > 0
    union
    select item_number, 'level:' || levels[place] from level_places where levels[place] <> ''
    union
    select item_number, 'path:' || array_to_string(levels[1:place], ' > ') from level_places where place > 1
),

item_counts as (
    select
        name,
        count(*) as n_items_with_term
    from terms
    group by name
    having count(*) >= {{ var('feature_min_items') }}
),

weighted as (
    select
        terms.item_number,
        terms.name,
        ln(cast((select count(*) from {{ items }}) as double) / item_counts.n_items_with_term) as weight,
        item_counts.n_items_with_term
    from terms
    inner join item_counts on item_counts.name = terms.name
)

select
    item_number,
    name,
    -- float32: threads add in any order, and what is trained on these weights must not follow it.
    cast({{ rounded('weight / sqrt(sum(weight * weight) over (partition by item_number))') }} as double) as weight,
    cast(n_items_with_term as integer) as n_items_with_term
from weighted
-- a term of every item says nothing.
where weight > 0
{%- endmacro %}

{# Every item of the log and of the items file, numbered in the order of their ids, with its token (item_numbers). #}
{% macro dense_item_numbers() -%}
with every_item as (
    select distinct item_id from {{ ref('first_events') }}
    {% if var('items') and var('min_events') is none %}
    union
    select item_id from {{ ref('log_items') }}
    {% endif %}
)
{%- if var('item_ids') == 'title' %},

{{ one_text_per_item(ref('first_events')) }},

titles as (
    select
        item_id,
        {{ short_text('coalesce(title, keywords)') }} as title
    from one_per_item
)
{%- endif %}
select
    {{ 'every_item.' if var('item_ids') in ('title', 'semantic') }}item_id,
    cast(row_number() over (order by {{ 'every_item.' if var('item_ids') in ('title', 'semantic') }}item_id) - 1 as integer) as item_number,
    {%- if var('item_ids') == 'token' %}
    -- the number, not the id: an id may hold spaces, quotes or anything else.
    '<i_' || (row_number() over (order by item_id) - 1) || '>' as item_token
    {%- elif var('item_ids') == 'text' %}
    -- one line: a prompt shows a product a line.
    trim(regexp_replace(cast(item_id as varchar), '\s+', ' ', 'g')) as item_token
    {%- elif var('item_ids') == 'title' %}
    -- the id where there is no title; a number behind titles that come again.
    coalesce(titles.title, cast(every_item.item_id as varchar)) || case
        when row_number() over same_title > 1 then ' (' || row_number() over same_title || ')'
        else ''
    end as item_token
    {%- else %}
    semantic_ids.item_token
    {%- endif %}
from every_item
{%- if var('item_ids') == 'title' %}
left join titles on titles.item_id = every_item.item_id
{%- elif var('item_ids') == 'semantic' %}
left join {{ ref('semantic_ids') }} as semantic_ids on semantic_ids.item_id = cast(every_item.item_id as varchar)
{%- endif %}
where {{ 'every_item.' if var('item_ids') in ('title', 'semantic') }}item_id is not null
{%- if var('item_ids') == 'title' %}
window same_title as (partition by coalesce(titles.title, cast(every_item.item_id as varchar)) order by every_item.item_id)
{%- endif %}
{%- endmacro %}
