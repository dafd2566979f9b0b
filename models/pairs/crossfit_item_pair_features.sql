-- models/pairs/crossfit_item_pair_features.sql: as item_pair_features, from the cross-fit part alone.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}
{%- set generators = [[ref('crossfit_generated_item_pairs'), ref('crossfit_embeddings'), '']] -%}
{%- if var('second_generator') -%}
    {%- do generators.append([ref('crossfit_second_generated_item_pairs'), ref('crossfit_second_embeddings'), 'second_']) -%}
{%- endif %}
{{ item_pair_features(ref('interactions_crossfit'), ref('crossfit_swing_sums'), generators) }}
