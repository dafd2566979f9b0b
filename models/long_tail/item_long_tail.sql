-- models/long_tail/item_long_tail.sql: which items are long-tail items (LLM-I2I, Datasets; method.md 2.1). There are two definitions, which differ in the
-- events that they count. item_long_tail is what models may use, in loss weights and votes: by default it counts the train part alone, and
-- crossfit_item_long_tail the cross-fit part, whose generator must not know the events that were held out of it. evaluation_long_tail is what figures
-- are reported by: the whole log, as in the paper. No model may read it.
{{ instances(entries('long_tails'), name='{long_tail}') }}
{% set fraction = double(var('long_tail_fraction')) %}
{% set rules = {
    'nearest_fraction': 'n_interactions <= (
        select n_interactions
        from ranked
        -- The largest count is left out: a tail has a head.
        where n_items_up_to_count < n_items
        order by abs(n_items_up_to_count - ' ~ fraction ~ ' * n_items), n_interactions
        limit 1
    )',
    'bottom_fraction': 'n_items_up_to_count <= ' ~ fraction ~ ' * n_items',
    'exact_fraction': 'place <= ' ~ fraction ~ ' * n_items',
    'max_count': 'n_interactions <= ' ~ var('long_tail_max_count'),
} %}
with counts as (
    select
        item_number,
        count(*) as n_interactions
    from {{ ref('interactions' if counts == 'full' else train_events) }}
    group by item_number
),

ranked as (
    select
        item_number,
        n_interactions,
        -- Two of the rules take whole groups of equal counts: 2,310 / 2,181 / 3,286 items on Toys / Beauty / Sports, the paper's figures.
        count(*) over (order by n_interactions) as n_items_up_to_count,
        row_number() over (order by n_interactions, item_number) as place,
        count(*) over () as n_items
    from counts
),

long_tail as (
    select item_number
    from ranked
    where {{ rules[rule] }}
)

select
    item_numbers.item_id,
    item_numbers.item_number,
    cast(coalesce(counts.n_interactions, 0) as integer) as n_interactions,
    -- An item without a counted event is as rare as can be. It does not move the threshold.
    long_tail.item_number is not null or counts.item_number is null as is_long_tail
from {{ ref('item_numbers') }} as item_numbers
left join counts on counts.item_number = item_numbers.item_number
left join long_tail on long_tail.item_number = item_numbers.item_number
