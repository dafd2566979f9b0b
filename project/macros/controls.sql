{# Controls: the same number of pairs per user, fused in the same way, but other pairs (method.md 3.4). A gain over no augmentation that a control
   shows too is not the language model's. #}

{# Whether the control is asked for (var controls). #}
{% macro has_control(control) -%}
{{ 'true' if control in var('controls') else 'false' }}
{%- endmacro %}

{# The recommender whose index the controls and llm_i2i_others build: append: Swing, as in the paper; distil: the main one. #}
{% macro control_recommender() -%}
{{ {'append': 'swing', 'distil': var('recommender')}[var('fusion')] }}
{%- endmacro %}

{# The index without augmentation of a recommender, under whichever name it is built. #}
{% macro baseline_index(recommender) -%}
{{ ref('i2i_index_baseline' if recommender == var('recommender') else 'index_' ~ recommender) }}
{%- endmacro %}

{# What a control would add for each user, the first choice at choice 1; as many as it has. #}
{% macro control_choices(control) -%}
{%- if control == 'random_keep' -%}
select
    user_number,
    item_number,
    row_number() over (partition by user_number order by {{ scrambled('seed') }}, item_number) as choice
from (
    select
        user_number,
        item_number,
        {{ draw_seed(['user_number', 'item_number'], var('random_seed') + 1) }} as seed
    from {{ ref('scored_interactions') }}
) as seeded
{%- elif control == 'llm_cf' -%}
select
    user_number,
    item_number,
    choice
from {{ ref('llm_cf_choices') }}
{%- elif control == 'log_probability' -%}
select
    user_number,
    item_number,
    row_number() over (partition by user_number order by rank) as choice
from {{ ref('scored_interactions') }}
{%- elif control == 'popularity' -%}
select
    popular.user_number,
    popular.item_number,
    row_number() over (partition by popular.user_number order by popular.draw) as choice
from (
    select
        draws.user_number,
        events.item_number,
        min(draws.draw) as draw
    from (
        select
            user_number,
            draw,
            {{ scrambled('seed') }} % (select count(*) from {{ ref('interactions_train') }}) as event_number
        from (
            select
                users.user_number,
                draw_numbers.draw,
                {{ draw_seed(['users.user_number', 'draw_numbers.draw'], var('random_seed') + 2) }} as seed
            from {{ ref('users') }} as users
            -- more than are needed: a draw that repeats, or that the user knows, is passed over.
            cross join (select unnest(range(3 * {{ var('candidates_per_user') }} + 20)) as draw) as draw_numbers
        ) as seeded
    ) as draws
    inner join (
        -- an item is drawn as often as it has events.
        select
            item_number,
            row_number() over (order by user_number, position) - 1 as event_number
        from {{ ref('interactions_train') }}
    ) as events on events.event_number = draws.event_number
    group by draws.user_number, events.item_number
) as popular
left join {{ ref('interactions_train') }} as train
    on train.user_number = popular.user_number and train.item_number = popular.item_number
where train.item_number is null
{%- else -%}
select
    scores.user_number,
    scores.item_number,
    row_number() over (partition by scores.user_number order by scores.score desc, scores.item_number) as choice
from (
    select
        triggers.user_number,
        related.related_item_number as item_number,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from (
        select
            user_number,
            item_number,
            power(
                {{ double(protocol_setting('trigger_decay')) }},
                row_number() over (partition by user_number order by position desc) - 1
            ) as weight
        from {{ ref('interactions_train') }}
        qualify row_number() over (partition by user_number order by position desc) <= {{ protocol_setting('triggers') }}
    ) as triggers
    inner join {{ baseline_index('swing') }} as related on related.trigger_item_number = triggers.item_number
    group by triggers.user_number, related.related_item_number
) as scores
left join {{ ref('interactions_train') }} as train
    on train.user_number = scores.user_number and train.item_number = scores.item_number
where train.item_number is null
{%- endif -%}
{%- endmacro %}

{# The pairs of a control: to each kept synthetic pair of a user one of the control's choices. The user's votes stay what they are, the largest for the
   first choice; only the factor for long-tail items goes with the item. #}
{% macro control_pairs(control) -%}
{%- set factor = double(var('long_tail_vote') or 1) -%}
with kept as (
    select
        synthetic.user_number,
        synthetic.item_number,
        synthetic.vote / case when item_long_tail.is_long_tail then {{ factor }} else {{ double(1) }} end as vote
    from {{ ref('synthetic_interactions') }} as synthetic
    inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = synthetic.item_number
),

slots as (
    select
        user_number,
        vote,
        row_number() over (partition by user_number order by {{ rounded('vote') }} desc, item_number) as choice
    from kept
),

choices as (
    {{ control_choices(control) | indent(4) }}
)

select
    users.user_id,
    item_long_tail.item_id,
    cast(slots.choice as integer) as place,
    slots.vote * case when item_long_tail.is_long_tail then {{ factor }} else {{ double(1) }} end as vote,
    choices.user_number,
    choices.item_number
from slots
inner join choices on choices.user_number = slots.user_number and choices.choice = slots.choice
inner join {{ ref('users') }} as users on users.user_number = choices.user_number
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = choices.item_number
{%- endmacro %}

{# The judged item pairs of a control: each item keeps its candidates and its confidences, but the largest goes to the control's first choice. #}
{% macro control_judged_item_pairs(control) -%}
{%- set orders = {
    'random_keep': scrambled('seed'),
    'log_probability': 'case when log_probability = 0 then 1 else 0 end, log_probability desc',
    'popularity': 'popularity desc',
    'swing_top': 'swing desc',
    'llm_cf': 'text desc',
} -%}
with slots as (
    select
        item_id,
        item_number,
        confidence,
        row_number() over (partition by item_number order by {{ rounded('margin') }} desc, related_item_number) as choice
    from {{ ref('scored_item_pairs') }}
),

seeded as (
    select
        *,
        {{ draw_seed(['item_number', 'related_item_number'], var('random_seed') + 3) }} as seed
    from {{ ref('item_pair_features') }}
),

choices as (
    select
        item_number,
        related_item_number,
        row_number() over (partition by item_number order by {{ orders[control] }}, related_item_number) as choice
    from seeded
)

select
    slots.item_id,
    item_numbers.item_id as related_item_id,
    slots.confidence,
    slots.item_number,
    choices.related_item_number
from slots
inner join choices on choices.item_number = slots.item_number and choices.choice = slots.choice
inner join {{ ref('item_numbers') }} as item_numbers on item_numbers.item_number = choices.related_item_number
{%- endmacro %}

{# The real events, and `pairs` (user_number, item_number, place) as events just after them. #}
{% macro events_with_pairs(pairs, users=none) -%}
    select
        user_number,
        item_number,
        position,
        weight,
        origin
    from {{ ref('fused_interactions') }}
    where origin = 'real'
    union all
    select
        pairs.user_number,
        pairs.item_number,
        last_events.position + pairs.place as position,
        {{ double(var('synthetic_weight')) }} as weight,
        'synthetic' as origin
    from {{ pairs }} as pairs
    inner join (
        select user_number, max(position) as position from {{ ref('interactions_train') }} group by user_number
    ) as last_events on last_events.user_number = pairs.user_number
    {%- if users %}
    where pairs.{{ users }}
    {%- endif %}
{%- endmacro %}

{# What control_recommender() relates when `pairs` (user_number, item_number, place, vote) are fused in place of synthetic_interactions; `control`: the judged item pairs
   are those of the control too. #}
{% macro similarity_with_pairs(pairs, users=none, control=none) -%}
{%- if {'append': true, 'distil': false}[var('fusion')] -%}
{%- set events = '(' ~ events_with_pairs(pairs, users) ~ ')' -%}
({{ swing_scores('(' ~ swing_sums(events, recency='position', weight=fused_weight()) ~ ')') }})
{%- else -%}
{%- set judged = '(' ~ distilled_item_pairs('(' ~ control_judged_item_pairs(control) ~ ')') ~ ')' if control and var('discriminator') == 'signals' else none -%}
{{ recommender_similarity(var('recommender'), augmented=true, distilled='(' ~ distilled(pairs, users) ~ ')', judged=judged) }}
{%- endif -%}
{%- endmacro %}
