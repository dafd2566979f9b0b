-- models/llm_cf/llm_cf_native_vectors.sql: the vectors of LLM-CF's own neural model, here YoutubeDNN, trained on real events together with a module that
-- reads similar examples of the reasoning set. A row of kind item is an item. A row of kind query is whom the model ranks items for: every user of the train
-- part in reading B, and in reading C the user of each target, with the items that he had taken before it.
{{ config(enabled=var('llm_cf') and var('llm_cf_reading') in ['B', 'C']) }}
select
    kind,
    number,
    vector
from llm_cf_tower(
    (select user_number, item_number, position, weight, origin from {{ ref('backbone_events') }} order by user_number, position),
    examples := (
        select example_number, user_number, item_number, answer, history, embedding
        from {{ ref('llm_cf_example_rows') }}
        order by example_number
    ),
    embeddings := (select item_number, embedding from {{ ref('llm_cf_item_embeddings') }} order by item_number),
    queries := (
        {%- if var('llm_cf_reading') == 'C' %}
        select number, user_number, history from {{ ref('youtube_dnn_queries') }} order by number
        {%- else %}
        select
            user_number as number,
            user_number,
            list(item_number order by position) as history
        from {{ ref('interactions_train') }}
        group by user_number
        order by user_number
        {%- endif %}
    ),
    similarity := {{ quote_literal(var('llm_cf_similarity')) }},
    reconstruction_weight := {{ double(var('llm_cf_reconstruction_weight')) }},
    {{ youtube_dnn_settings() }},
    random_seed := {{ youtube_dnn_random_seed() }}
)
