-- models/discriminator/judge_examples.sql: what the language models that judge learn from, as prompts answered Yes or No. Under the default
-- (discriminator: signals) a prompt has one word for each signal, the signal and its bucket, such as `swing_recent_7 place_0`: the model never
-- sees the item's text (macro signals_prompt, which reads the aliases signals and cuts). With discriminator: history it is the paper's.
-- discriminator_examples are of users' candidates, item_pair_examples (only with fusion distil) of item pairs.
{{ instances([
    {'examples': 'discriminator_examples', 'labelled': 'labelled_candidates', 'edges': 'signal_bucket_edges', 'enabled': true, 'tags': []},
    {
        'examples': 'item_pair_examples', 'labelled': 'labelled_item_pairs', 'edges': 'item_pair_bucket_edges',
        'enabled': var('discriminator') == 'signals' and var('fusion') == 'distil', 'tags': ['crossfit'],
    },
], name='{examples}') }}
{{ config(frozen=var('daily')) }}
{% if var('discriminator') == 'signals' %}
select
    {%- if labelled == 'labelled_candidates' %}
    signals.user_id,
    signals.item_id,
    cast(signals.rank as integer) as position,
    0 as draw,
    {%- else %}
    signals.user_number,
    signals.age,
    {%- endif %}
    signals.fold,
    {{ signals_prompt(labelled) }} as prompt,
    case when signals.is_hit then 'Yes' else 'No' end as completion,
    signals.balanced_weight as weight,
    {%- if labelled == 'labelled_candidates' %}
    signals.user_number,
    signals.item_number
    {%- else %}
    signals.item_number,
    signals.related_item_number
    {%- endif %}
from {{ ref(labelled) }} as signals
cross join {{ ref(edges) }} as cuts
{% else %}
select
    user_id,
    position,
    draw,
    item_id,
    history,
    prompt,
    completion,
    weight,
    user_number,
    item_number
from {{ ref('history_examples') }}
{% endif %}
