-- models/index/i2i_index.sql: the augmented index. append: the best of Swing on real and synthetic events;
-- distil: rownorm(base) + distil_mu x rownorm(A'G), A the users' recent events, G their candidates' votes (findings.md 3B).
{% if {'append': true, 'distil': false}[var('fusion')] %}
{{ top_related(ref('swing')) }}
{% else %}
with carriers as (
    select
        user_number,
        item_number,
        power(
            {{ double(var('distil_decay')) }},
            row_number() over (partition by user_number order by position desc) - 1
        ) as weight
    from {{ ref('interactions_train') }}
    qualify row_number() over (partition by user_number order by position desc) <= {{ var('distil_triggers') }}
),

distilled as (
    select
        carriers.item_number,
        fused.item_number as related_item_number,
        sum(carriers.weight * fused.weight) as score
    from carriers
    inner join {{ ref('fused_interactions') }} as fused on fused.user_number = carriers.user_number
    where fused.origin = 'synthetic'
    group by carriers.item_number, fused.item_number
),

parts as (
    -- a row divided by its maximum: base and distilled part are then on one scale, for popular and rare trigger items alike.
    select
        item_number,
        related_item_number,
        score / max(score) over (partition by item_number) as score
    from {{ ref('swing') }}
    union all
    select
        item_number,
        related_item_number,
        {{ double(var('distil_mu')) }} * score / max(score) over (partition by item_number) as score
    from distilled
),

blended as (
    select
        item_number,
        related_item_number,
        sum(score) as score
    from parts
    group by item_number, related_item_number
),

similarity as (
    select
        items.item_id,
        related_items.item_id as related_item_id,
        blended.score,
        blended.item_number,
        blended.related_item_number
    from blended
    inner join {{ ref('item_numbers') }} as items on items.item_number = blended.item_number
    inner join {{ ref('item_numbers') }} as related_items on related_items.item_number = blended.related_item_number
)

select
    trigger_item_id,
    related_item_id,
    score,
    rank,
    trigger_item_number,
    related_item_number
from ({{ top_related('similarity') }}) as top_items
{% endif %}
