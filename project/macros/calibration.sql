{# Every scored candidate of a user with a target, once per split: a hit if it is the target. Candidates come from the train part alone. #}
{% macro judged_candidates() -%}
select
    targets.split,
    target_items.is_long_tail,
    scored.item_number = targets.item_number as is_hit,
    scored.confidence,
    scored.log_probability,
    scored.user_number,
    scored.item_number
from {{ ref('scored_interactions') }} as scored
inner join {{ ref('targets') }} as targets on targets.user_number = scored.user_number
inner join {{ ref('item_long_tail') }} as target_items on target_items.item_number = targets.item_number
{%- endmacro %}

{# The scored candidates, under confidence_scale quantile with the share of all of them that have a smaller margin, in [0, 1): comparable between
   models whose confidences are not (method.md 2.6). #}
{% macro scaled_confidences(scored) -%}
{%- if var('confidence_scale') == 'quantile' -%}
(
    select
        *,
        (rank() over (order by {{ rounded('margin') }}) - 1) / cast(count(*) over () as double) as confidence_quantile
    from {{ scored }}
) as scaled
{%- else -%}
{{ scored }}
{%- endif -%}
{%- endmacro %}
