{# The paper's other backbones: BM25, TF-IDF, BPR, YoutubeDNN (method.md 6.2, 6.3). Each is built when it is the var recommender or one of the var
   backbones: <name>_baseline on real events, <name> on the fused ones, and what both are read off: <name>_neighbours or <name>_vectors. #}

{% macro backbone_names() -%}
bm25 tfidf bpr youtube_dnn
{%- endmacro %}

{% macro is_backbone(name) -%}
{{ 'true' if name in backbone_names().split() else 'false' }}
{%- endmacro %}

{# Whether the backbone is built. #}
{% macro has_backbone(name) -%}
{{ 'true' if name == var('recommender') or name in var('backbones') else 'false' }}
{%- endmacro %}

{# Whether it is evaluated beside the var recommender, under its own name. #}
{% macro has_backbone_arm(name) -%}
{{ 'true' if has_backbone(name) == 'true' and name != var('recommender') else 'false' }}
{%- endmacro %}

{# Whether the augmented backbone is trained on other events than the one without augmentation. #}
{% macro fuses_events() -%}
{{ 'true' if {'append': true, 'distil': false}[var('fusion')] or is_filtering() else 'false' }}
{%- endmacro %}

{# A setting of a backbone: the published one under protocol paper, otherwise one chosen on validation (project/docs/backbones.md). A var of the same
   name overrides both when it is not null. #}
{% macro backbone_setting(name) -%}
{%- set value = var(name) -%}
{%- if value is none -%}{%- set value = var('random_seed') + (1981 if var('protocol') == 'paper' else 0) -%}{%- endif -%}
{{- value | string | lower -}}
{%- endmacro %}

{# The events a backbone learns from, as a subquery. #}
{% macro backbone_events(augmented) -%}
{%- set appended = augmented and {'append': true, 'distil': false}[var('fusion')] -%}
{%- set relation = ref('fused_interactions') if appended else real_events() if augmented else ref('interactions_train') -%}
{%- set has_weight = appended or (augmented and is_filtering()) -%}
(
        select
            user_number,
            item_number,
            position,
            {{ 'weight' if has_weight else double(1) ~ ' as weight' }},
            {{ 'origin' if appended else "'real' as origin" }}
        from {{ relation }}
        order by user_number, position
    )
{%- endmacro %}

{# The items most like each item, itself included: BM25 or TF-IDF over the items' users. `events`: these in place of backbone_events. #}
{% macro backbone_neighbours(backbone, augmented, events=none) -%}
select
    items.item_id,
    related_items.item_id as related_item_id,
    found.score,
    found.item_number,
    found.related_item_number
from bm25(
    {{ events or backbone_events(augmented) }},
    weighting := '{{ backbone }}',
    neighbours := {{ backbone_setting(backbone ~ '_neighbours') }},
    k1 := {{ double(backbone_setting('bm25_k1')) }},
    b := {{ double(backbone_setting('bm25_b')) }},
    catalogue := (select count(*) from {{ ref('item_numbers') }})
) as found
inner join {{ ref('item_numbers') }} as items on items.item_number = found.item_number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = found.related_item_number
{%- endmacro %}

{# BPR's vectors of users and items. #}
{% macro bpr_vectors(augmented, events=none) -%}
select
    kind,
    number,
    vector
from bpr(
    {{ events or backbone_events(augmented) }},
    factors := {{ var('bpr_factors') }},
    learning_rate := {{ double(backbone_setting('bpr_learning_rate')) }},
    regularization := {{ double(backbone_setting('bpr_regularization')) }},
    iterations := {{ backbone_setting('bpr_iterations') }},
    random_seed := {{ var('random_seed') }}
)
{%- endmacro %}

{# YoutubeDNN's vectors of the items and, where it ranks by itself, of each target's user with what he had taken before. #}
{% macro youtube_dnn_vectors(augmented, events=none) -%}
select
    kind,
    number,
    vector
from youtube_dnn(
    {{ events or backbone_events(augmented) }},
    {%- if backbone_setting('own_ranking') == 'true' %}
    queries := (
        {{ youtube_dnn_target_histories() }}
    ),
    {%- endif %}
    {{ youtube_dnn_settings() }},
    inject_history := {{ var('inject_history') | string | lower }},
    random_seed := {{ backbone_setting('youtube_dnn_seed') }}
)
{%- endmacro %}

{# Items related by the angle (or inner product) of their vectors; only above 0. #}
{% macro vector_similarity(vectors, vector='vector', measure='cosine') -%}
{%- set items = '(select number, ' ~ vector ~ ' as vector from ' ~ vectors ~ " where kind = 'item' order by number)" -%}
select
    items.item_id,
    related_items.item_id as related_item_id,
    found.score,
    items.item_number,
    related_items.item_number as related_item_number
from nearest_items(
    {{ items }},
    items := {{ items }},
    n := {{ var('index_size') + 1 }},
    measure := '{{ measure }}'
) as found
inner join {{ ref('item_numbers') }} as items on items.item_number = found.number
inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = found.item_number
where found.number <> found.item_number and found.score > 0
{%- endmacro %}

{# A backbone as item-item similarity; `augmented` under distil on unfiltered events: the one without, to which i2i_index adds the candidates.
   `source`: read off these neighbours or vectors in place of the backbone's own. #}
{% macro backbone_similarity(backbone, augmented, source=none) -%}
{%- set suffix = '' if augmented else '_baseline' -%}
{%- if augmented and not source and fuses_events() == 'false' -%}
select
    item_id,
    related_item_id,
    score,
    item_number,
    related_item_number
from {{ ref(backbone ~ '_baseline') }}
{%- elif backbone in ['bm25', 'tfidf'] -%}
select
    item_id,
    related_item_id,
    score,
    item_number,
    related_item_number
from {{ source or ref(backbone ~ '_neighbours' ~ suffix) }}
-- a user with every item weighs less than nothing.
where item_number <> related_item_number and score > 0
{%- elif backbone == 'bpr' -%}
{#- without the bias, its last number: with it popular items are near to everything. -#}
{%- set vector = 'vector' if backbone_setting('bpr_similarity_bias') == 'true' else 'vector[1:' ~ var('bpr_factors') ~ ']' -%}
{{ vector_similarity(source or ref('bpr_vectors' ~ suffix), vector) }}
{%- else -%}
{{ vector_similarity(source or ref('youtube_dnn_vectors' ~ suffix), measure=backbone_setting('youtube_dnn_similarity')) }}
{%- endif -%}
{%- endmacro %}

{# Where a recommender ranks each target: its index by the triggers, or, a backbone with own_ranking (protocol paper, method.md 5.1), the way its own
   library ranks a user. `source` as in backbone_similarity. #}
{% macro recommender_target_ranks(recommender, augmentation, index, source=none) -%}
{%- set augmented = augmentation != 'none' -%}
{%- if is_backbone(recommender) == 'false' or backbone_setting('own_ranking') == 'false' -%}
{{ target_ranks(recommender, augmentation, index, ref('evaluation_triggers')) }}
{#- a disabled model is rendered too: only a backbone that is built may complain. #}
{%- elif augmented and has_backbone(recommender) == 'true' and not {'append': true, 'distil': false}[var('fusion')] -%}
{{ exceptions.raise_compiler_error(
    "under own_ranking (protocol paper) " ~ recommender ~ " ranks users by itself, and fusion distil has no part in that: set fusion: append, or own_ranking: false"
) }}
{%- elif recommender in ['bm25', 'tfidf'] -%}
{%- set neighbours = source or ref(recommender ~ '_neighbours' ~ ('' if augmented else '_baseline')) -%}
{{ target_ranks(
    recommender,
    augmentation,
    '(select item_number as trigger_item_number, related_item_number, score from ' ~ neighbours ~ ')',
    '(' ~ whole_history() ~ ')'
) }}
{%- else -%}
{{ target_ranks_of_lists(recommender, augmentation, '(' ~ vector_lists(recommender, augmented, source) ~ ')') }}
{%- endif -%}
{%- endmacro %}

{# All of a user's events as triggers of equal weight: under paper those of the train part for both targets, otherwise all before the target. #}
{% macro whole_history() -%}
select
    targets.target_number,
    events.item_number as trigger_item_number,
    {{ double(1) }} as weight
from {{ ref('targets') }} as targets
{%- if var('protocol') == 'paper' %}
inner join {{ ref('interactions_train') }} as events on events.user_number = targets.user_number
{%- else %}
inner join {{ ref('interactions') }} as events on events.user_number = targets.user_number and events.position < targets.position
{%- endif %}
{%- endmacro %}

{# The items of the largest inner product with the vector of each target's user, best first: target_number, item_number, rank. #}
{% macro vector_lists(backbone, augmented, source=none) -%}
{%- set vectors = source or ref(backbone ~ '_vectors' ~ ('' if augmented else '_baseline')) -%}
{%- set by_user = backbone == 'bpr' -%}
select
    number as target_number,
    item_number,
    rank
from nearest_items(
    (
        select
            targets.target_number as number,
            {%- if protocol_setting('exclude_seen') == 'true' %}
            any_value(vectors.vector) as vector,
            list(seen.item_number order by seen.position) as excluded
            {%- else %}
            vectors.vector
            {%- endif %}
        from {{ ref('targets') }} as targets
        inner join {{ vectors }} as vectors
            on vectors.kind = '{{ 'user' if by_user else 'query' }}'
            and vectors.number = targets.{{ 'user_number' if by_user else 'target_number' }}
        {%- if protocol_setting('exclude_seen') == 'true' %}
        inner join {{ ref('interactions') }} as seen on seen.user_number = targets.user_number and seen.position < targets.position
        group by targets.target_number
        {%- endif %}
        order by targets.target_number
    ),
    items := (select number, vector from {{ vectors }} where kind = 'item' order by number),
    n := {{ var('index_size') }}
)
{%- endmacro %}

{# For each target: its user and what he had taken before it. #}
{% macro youtube_dnn_target_histories() -%}
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
{%- endmacro %}

{# How YoutubeDNN's towers are trained, as arguments. #}
{% macro youtube_dnn_settings() -%}
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
validation_share := {{ double(var('youtube_dnn_validation_share')) }}
{%- endmacro %}
