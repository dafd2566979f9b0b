-- models/generator/item_terms.sql: the words, pairs of words, brands and category levels of each item's text, weighted by TF-IDF. They are the side
-- features of the generator's items and the text half of semantic ids.
{{ instances(entries('item_texts'), name='{terms}') }}
with item_words as (
    select
        item_number,
        regexp_extract_all(lower(coalesce(title, keywords, text)), '[\p{L}\p{N}]+') as words,
        regexp_extract_all(lower(brand), '[\p{L}\p{N}]+') as brand_words,
        string_split_regex(lower(category), '\s*[>|]\s*') as levels
    from {{ ref(items) }}
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
        ln(cast((select count(*) from {{ ref(items) }}) as double) / item_counts.n_items_with_term) as weight,
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
