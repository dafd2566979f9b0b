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
        select
            targets.target_number as number,
            targets.user_number,
            list(interactions.item_number order by interactions.position) as history
        from {{ ref('targets') }} as targets
        inner join {{ ref('interactions') }} as interactions
            on interactions.user_number = targets.user_number and interactions.position < targets.position
        where interactions.position >= targets.position - {{ var('youtube_dnn_history') }}
        group by targets.target_number, targets.user_number
        order by targets.target_number
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
    dimensions := {{ var('youtube_dnn_dimensions') }},
    history := {{ var('youtube_dnn_history') }},
    negatives := {{ var('youtube_dnn_negatives') }},
    log_q := {{ backbone_setting('youtube_dnn_log_q') }},
    learning_rate := {{ double(backbone_setting('youtube_dnn_learning_rate')) }},
    weight_decay := {{ double(var('youtube_dnn_weight_decay')) }},
    batch_size := {{ var('youtube_dnn_batch_size') }},
    epochs := {{ var('youtube_dnn_epochs') }},
    min_epochs := {{ var('youtube_dnn_min_epochs') }},
    patience := {{ var('youtube_dnn_patience') }},
    validation_share := {{ double(var('youtube_dnn_validation_share')) }},
    random_seed := {{ backbone_setting('youtube_dnn_seed') }}
)
