-- models/backbones/vectors.sql: the vectors that BPR learns of users and items, or YoutubeDNN of items and, where it ranks by itself, of each target's
-- user with what he had taken before (method.md 6.3).
{{ instances(backbone_trainings(['bpr', 'youtube_dnn']), name='{backbone}_vectors{suffix}') }}
select
    kind,
    number,
    vector
{% if backbone == 'bpr' %}
from bpr(
    (select user_number, item_number, position, weight, origin from {{ ref(events) }} order by user_number, position),
    factors := {{ var('bpr_factors') }},
    learning_rate := {{ double(var('bpr_learning_rate')) }},
    regularization := {{ double(var('bpr_regularization')) }},
    iterations := {{ var('bpr_iterations') }},
    random_seed := {{ var('random_seed') }}
)
{% else %}
from youtube_dnn(
    (select user_number, item_number, position, weight, origin from {{ ref(events) }} order by user_number, position),
    {% if var('own_ranking') %}
    queries := (select number, user_number, history from {{ ref('youtube_dnn_queries') }} order by number),
    {% endif %}
    {{ youtube_dnn_settings() }},
    inject_history := {{ var('inject_history') }},
    random_seed := {{ youtube_dnn_random_seed() }}
)
{% endif %}
