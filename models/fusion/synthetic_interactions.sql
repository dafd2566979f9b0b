-- models/fusion/synthetic_interactions.sql: the generated pairs that are kept, each with where it came from (method.md 2.6, 2.7).
with kept as (
    select
        user_id,
        item_id,
        rank,
        log_probability,
        confidence,
        margin,
        label,
        generator_call,
        discriminator_call,
        user_number,
        item_number,
        row_number() over (
            partition by user_number
            order by {{ rounded({'log_probability': 'log_probability', 'confidence': 'margin'}[var('synthetic_order')]) }} desc, rank
        ) as place
    from {{ scaled_confidences(ref('scored_interactions')) }}
    -- >= with a declared threshold: "confidence 1.0" means something else in each dtype.
    where {{ {'probability': 'confidence', 'quantile': 'confidence_quantile'}[var('confidence_scale')] }} >= {{ double(var('min_confidence')) }}
    {% if var('confidence_width') is not none %}
        -- a bin: rounded, so that the end of one is the beginning of the next.
        and {{ {'probability': 'confidence', 'quantile': 'confidence_quantile'}[var('confidence_scale')] }}
        < {{ double((var('min_confidence') + var('confidence_width')) | round(12)) }}
    {% endif %}
    {% if var('synthetic_items') != 'all' %}
        and item_number in (select item_number from {{ ref('item_long_tail') }} where is_long_tail = {{ {'long_tail': 'true', 'other': 'false'}[var('synthetic_items')] }})
    {% endif %}
)

select
    kept.user_id,
    kept.item_id,
    kept.rank,
    log_probability,
    confidence,
    margin,
    label,
    cast(place as integer) as place,
    -- how much of a vote the pair has when it is distilled into the index (findings.md 3B).
    exp({{ double(var('probability_exponent')) }} * log_probability)
        * power(confidence, {{ double(var('confidence_exponent')) }})
        * case when item_long_tail.is_long_tail then {{ double(var('long_tail_vote')) }} else {{ double(1) }} end as vote,
    generator_call,
    discriminator_call,
    (select any_value(checkpoint) from {{ ref('generator') }}) as generator_checkpoint,
    (select any_value(checkpoint) from {{ ref('discriminator') }}) as discriminator_checkpoint,
    kept.user_number,
    kept.item_number
from kept
inner join {{ ref('item_long_tail') }} as item_long_tail on item_long_tail.item_number = kept.item_number
{% if var('synthetic_per_user') is not none %}
where place <= {{ var('synthetic_per_user') }}
{% endif %}
