-- models/llm_cf/llm_cf_native_vectors.sql: readings B and C: YoutubeDNN with LLM-CF's in-context module, on real events; vectors of the items and of whom
-- it ranks for: every user of the train part (B), or the user of each target with what he had taken before (C).
{{ config(enabled=var('llm_cf') and var('llm_cf_reading') in ['B', 'C'], tags=['llm_cf']) }}
select
    kind,
    number,
    vector
from llm_cf_tower(
    {{ backbone_events(false) }},
    examples := {{ llm_cf_example_rows(positive=false) }},
    embeddings := (select item_number, embedding from {{ ref('llm_cf_item_embeddings') }} order by item_number),
    queries := (
        {%- if var('llm_cf_reading') == 'C' %}
        {{ youtube_dnn_target_histories() }}
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
    random_seed := {{ backbone_setting('youtube_dnn_seed') }}
)
