-- models/pairs/crossfit_pair_signals.sql: as pair_signals, from the cross-fit part alone.
{{ config(frozen=var('daily'), enabled=var('discriminator') == 'signals' and var('fusion') == 'distil', tags=['crossfit']) }}
{%- set generators = [[ref('crossfit_generated_pairs'), ref('crossfit_embeddings'), '']] -%}
{%- if var('second_generator') -%}
    {%- do generators.append([ref('crossfit_second_generated_pairs'), ref('crossfit_second_embeddings'), 'second_']) -%}
{%- endif %}
{{ pair_signals(ref('interactions_crossfit'), ref('crossfit_pairs'), generators) }}
