-- models/backbones/bpr_vectors.sql: the vectors of users and items that BPR learns (method.md 6.3).
{{ instances(backbone_trainings(['bpr']), name='{backbone}_vectors{suffix}') }}
select
    kind,
    number,
    vector
from bpr(
    (select user_number, item_number, position, weight, origin from {{ ref(events) }} order by user_number, position),
    factors := {{ var('bpr_factors') }},
    learning_rate := {{ double(var('bpr_learning_rate')) }},
    regularization := {{ double(var('bpr_regularization')) }},
    iterations := {{ var('bpr_iterations') }},
    random_seed := {{ var('random_seed') }}
)
