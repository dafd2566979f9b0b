{# The most recent events before each target, which query the index: the last `triggers`, weighted trigger_decay ^ age. #}
{% macro recent_triggers(triggers, trigger_decay) -%}
select
    targets.user_id,
    targets.split,
    interactions.item_id as trigger_item,
    power({{ double(trigger_decay) }}, targets.position - 1 - interactions.position) as weight,
    targets.target_number,
    interactions.item_number as trigger_item_number
from {{ ref('targets') }} as targets
inner join {{ ref('interactions') }} as interactions on interactions.user_number = targets.user_number
where
    interactions.position < targets.position
    and interactions.position >= targets.position - {{ triggers }}
{%- endmacro %}

{# Rank of each target (1 = best) among all items the index relates to its triggers, null if it is not among them (method.md 4.1).
   Only the target's rank is needed: first the targets that are scored at all, then the candidates of these alone, and of those the ones
   ahead of the target. Scores are rounded first; ties go to the smaller item. #}
{% macro target_ranks(recommender, augmentation, index, triggers, exclude_seen=(protocol_setting('exclude_seen') == 'true')) -%}
with target_scores as (
    select
        targets.target_number,
        targets.item_number,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from {{ triggers }} as triggers
    inner join {{ ref('targets') }} as targets on targets.target_number = triggers.target_number
    inner join {{ index }} as related
        on related.trigger_item_number = triggers.trigger_item_number and related.related_item_number = targets.item_number
    group by targets.target_number, targets.item_number
),

candidate_scores as (
    select
        (cast(triggers.target_number as bigint) << 32) | related.related_item_number as candidate,
        {{ rounded('sum(triggers.weight * related.score)') }} as score
    from {{ triggers }} as triggers
    inner join target_scores on target_scores.target_number = triggers.target_number
    inner join {{ index }} as related on related.trigger_item_number = triggers.trigger_item_number
    group by candidate
),

candidates_ahead as (
    select
        target_scores.target_number,
        candidate_scores.candidate & 4294967295 as item_number
    from candidate_scores
    inner join target_scores on target_scores.target_number = candidate_scores.candidate >> 32
    where
        candidate_scores.candidate & 4294967295 <> target_scores.item_number
        and (
            candidate_scores.score > target_scores.score
            or (candidate_scores.score = target_scores.score and candidate_scores.candidate & 4294967295 < target_scores.item_number)
        )
),

counts_ahead as (
    select
        candidates_ahead.target_number,
        count(*) as n_ahead
    from candidates_ahead
    {{ join_competitors('candidates_ahead') }}
    {% if exclude_seen %}
    inner join {{ ref('targets') }} as targets on targets.target_number = candidates_ahead.target_number
    left join {{ ref('interactions') }} as seen
        on seen.user_number = targets.user_number
        and seen.item_number = candidates_ahead.item_number
        and seen.position < targets.position
    where seen.item_number is null
    {% endif %}
    group by candidates_ahead.target_number
)

select
    '{{ recommender }}' as recommender,
    '{{ augmentation }}' as augmentation,
    targets.user_id,
    targets.split,
    targets.item_id,
    item_long_tail.is_long_tail,
    -- a target that no trigger relates to has no rank: a miss at every k.
    case when target_scores.target_number is not null then cast(1 + coalesce(counts_ahead.n_ahead, 0) as integer) end as rank,
    targets.target_number
from {{ ref('targets') }} as targets
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = targets.item_number
left join target_scores on target_scores.target_number = targets.target_number
left join counts_ahead on counts_ahead.target_number = targets.target_number
{%- endmacro %}

{# Rank of each target in its list, null where it is not listed. `lists`: target_number, item_number, rank. #}
{% macro target_ranks_of_lists(recommender, augmentation, lists) -%}
with lists as (
    select
        listed.target_number,
        listed.item_number,
        row_number() over (partition by listed.target_number order by listed.rank) as rank
    from {{ lists }} as listed
    {{ join_competitors('listed') }}
)

select
    '{{ recommender }}' as recommender,
    '{{ augmentation }}' as augmentation,
    targets.user_id,
    targets.split,
    targets.item_id,
    item_long_tail.is_long_tail,
    cast(lists.rank as integer) as rank,
    targets.target_number
from {{ ref('targets') }} as targets
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = targets.item_number
left join lists on lists.target_number = targets.target_number and lists.item_number = targets.item_number
{%- endmacro %}

{# The arms that are evaluated, each once: `target_ranks_<arm>` is its model. The recommender's own arms are baseline and augmented. #}
{% macro evaluation_arms() -%}
{%- set arms = [
    'baseline',
    'augmented',
    'swing',
    'swing_augmented',
    'swing_text',
    'cooccurrence',
    'cosine',
    'cooccurrence_text',
    'text_neighbours',
    'swing_plain',
    'swing_equal_triggers',
    'swing_self_pairs',
    'swing_degree_normalised',
] -%}
{%- for backbone in backbone_names().split() if has_backbone_arm(backbone) == 'true' -%}
    {%- do arms.extend([backbone, backbone ~ '_augmented']) -%}
{%- endfor -%}
{%- do arms.extend(var('controls')) -%}
{%- if var('llm_cf') -%}
    {%- do arms.append('llm_cf') -%}
{%- endif -%}
{%- if var('others_folds') is not none -%}
    {%- do arms.append('others') -%}
{%- endif -%}
{%- if var('generator_arm') -%}
    {%- do arms.append('generator') -%}
{%- endif -%}
{%- for arm in arms if arm not in [var('recommender'), var('recommender') ~ '_augmented'] -%}
{{ arm }}{{ ' ' }}
{%- endfor -%}
{%- endmacro %}

{# The segments of the targets: by the target's item, and, with a near_column, without the targets beside the item before. #}
{% macro segment_names() -%}
all long_tail other{% if var('near_column') %} all_without_near long_tail_without_near{% endif %}
{%- endmacro %}

{# Whether a row of target_ranks_all is in the segment, as a condition. #}
{% macro in_segment(segment) -%}
{{ {
    'all': 'true',
    'long_tail': 'is_long_tail',
    'other': 'not is_long_tail',
    'all_without_near': 'not is_near',
    'long_tail_without_near': 'is_long_tail and not is_near',
}[segment] }}
{%- endmacro %}
