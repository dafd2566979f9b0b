-- models/long_tail/item_long_tail.sql: the one definition of a long-tail item (LLM-I2I, Datasets; method.md 2.1).
{% set counted = {'full': ref('interactions'), 'train': ref('interactions_train')}[var('long_tail_counts')] %}
{% set rules = {
    'bottom_fraction': 'n_items_up_to_count <= ' ~ double(var('long_tail_fraction')) ~ ' * n_items',
    'exact_fraction': 'place <= ' ~ double(var('long_tail_fraction')) ~ ' * n_items',
    'max_count': 'n_interactions <= ' ~ var('long_tail_max_count'),
} %}
with counts as (
    select
        item_number,
        count(*) as n_interactions
    from {{ counted }}
    group by item_number
),

log_items as (
    -- Items of the log; those that only the items file has do not move the threshold.
    select distinct item_number
    from {{ ref('interactions') }}
),

counted_items as (
    select
        log_items.item_number,
        coalesce(counts.n_interactions, 0) as n_interactions
    from log_items
    left join counts on counts.item_number = log_items.item_number
),

ranked as (
    select
        item_number,
        n_interactions,
        -- bottom_fraction takes whole groups of equal counts: 2,310 / 2,181 / 3,286 items on Toys / Beauty / Sports, the paper's figures.
        count(*) over (order by n_interactions) as n_items_up_to_count,
        row_number() over (order by n_interactions, item_number) as place,
        count(*) over () as n_items
    from counted_items
),

long_tail as (
    select item_number
    from ranked
    where {{ rules[var('long_tail_rule')] }}
)

select
    item_numbers.item_id,
    item_numbers.item_number,
    cast(coalesce(counts.n_interactions, 0) as integer) as n_interactions,
    -- An item without any event is as rare as can be.
    long_tail.item_number is not null or log_items.item_number is null as is_long_tail
from {{ ref('item_numbers') }} as item_numbers
left join log_items on log_items.item_number = item_numbers.item_number
left join counts on counts.item_number = item_numbers.item_number
left join long_tail on long_tail.item_number = item_numbers.item_number
