{# The signals of the discriminator, in the order of its prompt; each is a column of candidate_signals. #}
{% macro signal_list() -%}
log_probability place history_length popularity swing_recent cosine_all transition_recent transition_last text_recent text_last text_all embedding_recent embedding_last
{%- endmacro %}

{# How often item_number is directly followed by next_item_number in `events`, divided by sqrt(d_i d_j). #}
{% macro transitions(events) -%}
with steps as (
    select
        item_number,
        lead(item_number) over (partition by user_number order by position) as next_item_number
    from {{ events }}
),

degrees as (
    select item_number, count(*) as degree from {{ events }} group by item_number
),

counts as (
    select item_number, next_item_number, count(*) as n_steps
    from steps
    where next_item_number is not null
    group by item_number, next_item_number
)

select
    counts.item_number,
    counts.next_item_number,
    counts.n_steps / sqrt(cast(degrees.degree as double) * next_degrees.degree) as score
from counts
inner join degrees on degrees.item_number = counts.item_number
inner join degrees as next_degrees on next_degrees.item_number = counts.next_item_number
{%- endmacro %}

{# One row per candidate with a column per signal (method.md 2.11), all computed from `events` alone, but for the popularity where `degrees` (item_number, degree) is given.
   recent: the last five events, weighted .5^age; last: the last one; all: the last fifty, equally. #}
{% macro candidate_signals(candidates, events, pairs, transitions, embeddings, degrees=none) -%}
with degrees as (
    select item_number, {{ 'degree' if degrees else 'count(*) as degree' }} from {{ degrees or events }}{{ '' if degrees else ' group by item_number' }}
),

history_events as (
    select
        user_number,
        item_number as trigger_number,
        count(*) over (partition by user_number) as history_length,
        row_number() over (partition by user_number order by position desc) - 1 as age
    from {{ events }}
    qualify row_number() over (partition by user_number order by position desc) <= 50
),

behaviour as (
    select
        item_number,
        related_item_number,
        (user_pairs + {{ double(0.1) }} * self_terms) / sqrt(cast(degree as double) * related_degree) as swing,
        n_common_users / sqrt(cast(degree as double) * related_degree) as cosine
    from {{ pairs }}
),

related as (
    select item_number as trigger_number, related_item_number as item_number, swing, cosine from behaviour
    union all
    select related_item_number, item_number, swing, cosine from behaviour
),

text_related as (
    select item_number as trigger_number, related_item_number as item_number, score from {{ ref('text_neighbours') }}
),

expanded as (
    select
        candidates.user_number,
        candidates.item_number,
        history_events.age,
        history_events.trigger_number,
        history_events.history_length,
        case when history_events.age < 5 then power({{ double(0.5) }}, history_events.age) else {{ double(0) }} end as weight
    from {{ candidates }} as candidates
    inner join history_events on history_events.user_number = candidates.user_number
),

sums as (
    select
        expanded.user_number,
        expanded.item_number,
        max(expanded.history_length) as history_length,
        sum(expanded.weight * coalesce(related.swing, 0)) as swing_recent,
        sum(coalesce(related.cosine, 0)) as cosine_all,
        sum(expanded.weight * coalesce(transitions.score, 0)) as transition_recent,
        sum(case when expanded.age = 0 then coalesce(transitions.score, 0) else 0 end) as transition_last,
        sum(expanded.weight * coalesce(text_related.score, 0)) as text_recent,
        sum(case when expanded.age = 0 then coalesce(text_related.score, 0) else 0 end) as text_last,
        sum(coalesce(text_related.score, 0)) as text_all
    from expanded
    left join related on related.trigger_number = expanded.trigger_number and related.item_number = expanded.item_number
    left join {{ transitions }} as transitions
        on transitions.item_number = expanded.trigger_number and transitions.next_item_number = expanded.item_number
    left join text_related
        on text_related.trigger_number = expanded.trigger_number and text_related.item_number = expanded.item_number
    group by expanded.user_number, expanded.item_number
),

embedded as (
    select
        expanded.user_number,
        expanded.item_number,
        sum(expanded.weight * {{ dot_product('trigger_embedding.embedding', 'embedding.embedding') }}) as embedding_recent,
        sum(
            case when expanded.age = 0 then {{ dot_product('trigger_embedding.embedding', 'embedding.embedding') }} else 0 end
        ) as embedding_last
    from expanded
    inner join {{ embeddings }} as trigger_embedding on trigger_embedding.item_number = expanded.trigger_number
    inner join {{ embeddings }} as embedding on embedding.item_number = expanded.item_number
    where expanded.age < 5
    group by expanded.user_number, expanded.item_number
)

select
    candidates.user_id,
    candidates.item_id,
    candidates.rank,
    candidates.log_probability,
    cast(candidates.rank as double) as place,
    cast(sums.history_length as double) as history_length,
    cast(coalesce(degrees.degree, 0) as double) as popularity,
    -- float32: sums in another order must fall into the same bucket.
    {{ rounded('sums.swing_recent') }} as swing_recent,
    {{ rounded('sums.cosine_all') }} as cosine_all,
    {{ rounded('sums.transition_recent') }} as transition_recent,
    {{ rounded('sums.transition_last') }} as transition_last,
    {{ rounded('sums.text_recent') }} as text_recent,
    {{ rounded('sums.text_last') }} as text_last,
    {{ rounded('sums.text_all') }} as text_all,
    {{ rounded('embedded.embedding_recent') }} as embedding_recent,
    {{ rounded('embedded.embedding_last') }} as embedding_last,
    candidates.generator_call,
    candidates.user_number,
    candidates.item_number
from {{ candidates }} as candidates
inner join sums on sums.user_number = candidates.user_number and sums.item_number = candidates.item_number
inner join embedded on embedded.user_number = candidates.user_number and embedded.item_number = candidates.item_number
left join degrees on degrees.item_number = candidates.item_number
{%- endmacro %}

{# Where each signal is cut into buckets: quantiles of its values other than 0, half of the cuts by the hits, half by the misses. Hits crowd where a
   signal is high: cuts by all rows alike would leave them in one bucket (validation R@10 of the pairs, Toys: .146 instead of .154).
   `relation` has a column is_hit. #}
{% macro signal_bucket_edges(names, relation) -%}
{%- set parts = var('signal_buckets') // 2 -%}
select
    {%- for signal in names.split() %}
    list_sort(list_distinct(list_concat(
        {%- for hits in ['is_hit', 'not is_hit'] %}
        coalesce(quantile_disc({{ signal }}, [{% for i in range(1, parts + 1) %}{{ i / (parts + 1) }}{{ ', ' if not loop.last }}{% endfor %}])
            filter (where {{ signal }} <> 0 and {{ hits }}), []){{ ',' if not loop.last }}
        {%- endfor %}
    ))) as {{ signal }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ relation }}
{%- endmacro %}

{# The prompt of a candidate: one word per signal, its name and bucket. `signals` and `cuts` are aliases in the FROM. #}
{% macro signals_prompt(names=signal_list(), signals='signals', cuts='cuts') -%}
(
    {%- for signal in names.split() %}
    '{{ ' ' if not loop.first }}{{ signal }}_' || case
        when {{ signals }}.{{ signal }} = 0 then 'none'
        else cast(
            {%- for cut in range(1, var('signal_buckets') // 2 * 2 + 1) %}
            case when {{ signals }}.{{ signal }} > {{ cuts }}.{{ signal }}[{{ cut }}] then 1 else 0 end{{ ' +' if not loop.last }}
            {%- endfor %}
            as varchar)
    end{{ ' ||' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}
