-- models/fusion/synthetic_interactions.sql: the generated pairs that are kept, each with its vote and with where it came from (method.md 2.6, 2.7).
-- Under the defaults all of them are kept and the confidence only weighs the vote; min_confidence and synthetic_per_user drop some.
-- whole_synthetic_interactions are those of the whole log, for the index that is served.
{{ instances([
    {'prefix': '', 'enabled': true},
    {'prefix': 'whole_', 'enabled': serves_whole_log()},
], name='{prefix}synthetic_interactions') }}
{% set compared = 'confidence_quantile' if var('confidence_scale') == 'quantile' else 'confidence' %}
with scored as (
    select
        *,
        {% if var('confidence_scale') == 'quantile' %}
        -- the share of all scored candidates that are less confident, in [0, 1): comparable between models whose confidences are not.
        (rank() over (order by {{ rounded('margin') }}) - 1) / cast(count(*) over () as double) as confidence_quantile,
        {% endif %}
        {{ rounded('margin' if var('synthetic_order') == 'confidence' else 'log_probability') }} as preference
    from {{ ref(prefix ~ 'scored_interactions') }}
),

kept as (
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
            order by preference desc, rank
        ) as place
    from scored
    -- >= with a declared threshold: "confidence 1.0" means something else in each dtype.
    where {{ compared }} >= {{ double(var('min_confidence')) }}
    {% if var('confidence_width') is not none %}
        -- a bin: rounded, so that the end of one is the beginning of the next.
        and {{ compared }}
        < {{ double((var('min_confidence') + var('confidence_width')) | round(12)) }}
    {% endif %}
    {% if var('synthetic_items') != 'all' %}
        and item_number in (select item_number from {{ ref('item_long_tail') }} where is_long_tail = {{ var('synthetic_items') == 'long_tail' }})
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
    -- how much of a vote the pair has when it is distilled into the index (method.md 2.7).
    exp({{ double(var('probability_exponent')) }} * log_probability)
        * power(confidence, {{ double(var('confidence_exponent')) }}) as vote,
    generator_call,
    discriminator_call,
    (select any_value(checkpoint) from {{ ref(prefix ~ 'generator') }}) as generator_checkpoint,
    {% if var('judge') == 'small' or var('discriminator') != 'signals' %}
    (select any_value(checkpoint) from {{ ref('discriminator') }}) as discriminator_checkpoint,
    {% else %}
    -- no language model judged.
    cast(null as varchar) as discriminator_checkpoint,
    {% endif %}
    kept.user_number,
    kept.item_number
from kept
{% if var('synthetic_per_user') is not none %}
where place <= {{ var('synthetic_per_user') }}
{% endif %}
