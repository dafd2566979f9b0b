{# Words of the part backbones: which of the paper's other recommenders are built, and how they rank users (method.md 6.2, 6.3). #}

{# Whether a backbone is built: it is the var recommender, or one of the var backbones. #}
{% macro uses_backbone(name) -%}
{% do return(name == var('recommender') or name in var('backbones')) %}
{%- endmacro %}

{# The trainings of some backbones, as instances: one for each log that they learn from (list backbone_logs). #}
{% macro backbone_trainings(names) -%}
{%- set found = [] -%}
{%- for log in entries('backbone_logs') -%}
    {%- for name in names -%}
        {%- do found.append({
            'backbone': name,
            'suffix': log.suffix,
            'events': log.events,
            'enabled': log.enabled and name in log.backbones and uses_backbone(name),
        }) -%}
    {%- endfor -%}
{%- endfor -%}
{%- do return(found) -%}
{%- endmacro %}

{# The similarities of some backbones, as instances. Where nothing is fused the augmented one is read off the training without augmentation. #}
{% macro backbone_similarities(names) -%}
{%- set found = [] -%}
{%- for log in entries('backbone_logs') -%}
    {%- for name in names -%}
        {%- do found.append({
            'backbone': name,
            'suffix': log.suffix,
            'trained': name ~ ('_neighbours' if name in ['bm25', 'tfidf'] else '_vectors') ~ (log.suffix if log.enabled else ''),
            'enabled': (log.enabled or log.suffix == '_augmented') and name in log.backbones and uses_backbone(name),
        }) -%}
    {%- endfor -%}
{%- endfor -%}
{%- do return(found) -%}
{%- endmacro %}

{# Under own_ranking (protocol paper, method.md 5.1) a backbone ranks a user as its own library does: BM25 and TF-IDF by all of the user's items ... #}
{% macro own_index(backbone, suffix='') -%}
{% do return(backbone ~ '_neighbours' ~ suffix if ranks_by_itself(backbone, suffix) and backbone in ['bm25', 'tfidf'] else none) %}
{%- endmacro %}

{# ... BPR and YoutubeDNN by the inner product with the user's vector. #}
{% macro own_lists(backbone, suffix='') -%}
{% do return('user_rankings_' ~ backbone ~ suffix if ranks_by_itself(backbone, suffix) and backbone in ['bpr', 'youtube_dnn'] else none) %}
{%- endmacro %}

{% macro ranks_by_itself(backbone, suffix) -%}
{%- if var('own_ranking') and suffix and uses_backbone(backbone) and var('fusion') != 'append' -%}
    {{ exceptions.raise_compiler_error(
        "under own_ranking (protocol paper) " ~ backbone ~ " ranks users by itself, and fusion distil has no part in that: set fusion: append, or own_ranking: false"
    ) }}
{%- endif -%}
{%- do return(var('own_ranking')) -%}
{%- endmacro %}

{# The seed of YoutubeDNN: its own, or under protocol paper 2023 where random_seed is 42, and moving along with it. #}
{% macro youtube_dnn_random_seed() -%}
{%- set own = var('youtube_dnn_seed') -%}
{%- do return(own if own is not none else var('random_seed') + (1981 if var('protocol') == 'paper' else 0)) -%}
{%- endmacro %}

{# How YoutubeDNN's towers are trained, as arguments. #}
{% macro youtube_dnn_settings() -%}
dimensions := {{ var('youtube_dnn_dimensions') }},
history := {{ var('youtube_dnn_history') }},
negatives := {{ var('youtube_dnn_negatives') }},
log_q := {{ var('youtube_dnn_log_q') }},
learning_rate := {{ double(var('youtube_dnn_learning_rate')) }},
weight_decay := {{ double(var('youtube_dnn_weight_decay')) }},
batch_size := {{ var('youtube_dnn_batch_size') }},
epochs := {{ var('youtube_dnn_epochs') }},
min_epochs := {{ var('youtube_dnn_min_epochs') }},
patience := {{ var('youtube_dnn_patience') }},
validation_share := {{ double(var('youtube_dnn_validation_share')) }}
{%- endmacro %}
