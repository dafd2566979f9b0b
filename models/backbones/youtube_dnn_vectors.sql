-- models/backbones/youtube_dnn_vectors.sql: the vectors of items that YoutubeDNN learns (method.md 6.3) and, where it ranks by itself, of each
-- target's user with what he had taken before.
{{ instances(backbone_trainings(['youtube_dnn']), name='{backbone}_vectors{suffix}') }}
select
    kind,
    number,
    vector
from youtube_dnn(
    (select user_number, item_number, position, weight, origin from {{ ref(events) }} order by user_number, position),
    {% if var('own_ranking') %}
    queries := (select number, user_number, history from {{ ref('youtube_dnn_queries') }} order by number),
    {% endif %}
    {{ youtube_dnn_settings() }},
    inject_history := {{ var('inject_history') }},
    random_seed := {{ youtube_dnn_random_seed() }}
)
