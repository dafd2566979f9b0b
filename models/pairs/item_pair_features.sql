-- models/pairs/item_pair_features.sql: the item pairs worth a judgement and what the pair discriminator reads of each, one column a signal. To add one,
-- add a column in the macro item_pair_features and its name to the macro item_pair_feature_list.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil') }}
{%- set generators = [[ref('generated_item_pairs'), ref('generator_embeddings'), '']] -%}
{%- if var('second_generator') -%}
    {%- do generators.append([ref('second_generated_item_pairs'), ref('second_embeddings'), 'second_']) -%}
{%- endif %}
{{ item_pair_features(ref('interactions_train'), ref('swing_sums'), generators) }}
