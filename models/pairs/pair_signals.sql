-- models/pairs/pair_signals.sql: the item pairs worth a judgement and what the pair discriminator reads of each, one column a signal. To add one,
-- add a column in the macro pair_signals and its name to the macro pair_signal_list.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil') }}
{%- set generators = [[ref('generated_pairs'), ref('generator_embeddings'), '']] -%}
{%- if var('second_generator') -%}
    {%- do generators.append([ref('second_generated_pairs'), ref('second_embeddings'), 'second_']) -%}
{%- endif %}
{{ pair_signals(ref('interactions_train'), ref('swing_pairs'), generators) }}
