-- models/evaluation/discriminator_auc.sql: how often a hit among the generated candidates scores above a miss (ties count half): what the
-- discriminator knows that the generator does not. Exact, no sampling.
{% if var('gradient_boosting_reference') and var('discriminator') == 'signals' %}
{% set judged -%}
(
    select
        judged.*,
        boosted.confidence as gradient_boosting
    from ({{ judged_candidates() | indent(4) }}) as judged
    inner join {{ ref('gradient_boosting') }} as boosted
        on boosted.user_number = judged.user_number and boosted.item_number = judged.item_number
)
{%- endset %}
{{ hit_or_miss_auc(judged, ['confidence', 'log_probability', 'gradient_boosting']) }}
{% else %}
{{ hit_or_miss_auc('(' ~ judged_candidates() ~ ') as judged', ['confidence', 'log_probability']) }}
{% endif %}
