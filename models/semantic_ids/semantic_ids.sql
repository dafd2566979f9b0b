-- models/semantic_ids/semantic_ids.sql: the code words that stand for each item, of which neighbours share the first ones (method.md 2.4 G3, 7.2).
select
    item_id,
    item_token
from semantic_ids(
    (select item_id, embedding from {{ ref('semantic_vectors') }} order by item_id),
    levels := {{ var('semantic_levels') }},
    codes := {{ var('semantic_codes') }},
    random_seed := {{ var('random_seed') }}
)
