{# What an arm's index is made of. The lists arms, recommenders, vote_sets and judged_sets (project/arms.yml, models/*/part.yml) say which arms there are. #}

{# Whether the augmented recommenders learn from other events than the log's: synthetic ones (append), or real ones that were filtered. #}
{% macro events_are_fused() -%}
{% do return(var('fusion') == 'append' or is_filtering()) %}
{%- endmacro %}

{# Model -> weight: what the index of an arm adds up.
   `similarities`: given for an arm that is no entry of the list recommenders. `appended`: a model that takes the place of the recommender under
   fusion append, when the arm's pairs are not those of fused_interactions. `votes`, `item_pairs`: what fusion distil adds. #}
{% macro arm_similarities(recommender, augmentation, similarities=none, votes=none, item_pairs=none, appended=none) -%}
{%- if appended and var('fusion') == 'append' -%}
    {%- do return({appended: 1}) -%}
{%- elif not similarities -%}
    {%- set known = entries('recommenders') | selectattr('name', 'equalto', recommender) | list -%}
    {%- if not known -%}
        {{ exceptions.raise_compiler_error(
            "an arm's recommender '" ~ recommender ~ "' is no entry of the list recommenders (" ~ entries('recommenders') | map(attribute='name') | join(', ')
            ~ "); add it there (models/index/part.yml), or give the arm its similarities: {model: weight}"
        ) }}
    {%- endif -%}
    {%- set similarities = known[0].similarities -%}
{%- endif -%}
{%- if similarities is not mapping -%}
    {{ exceptions.raise_compiler_error("the similarities of the arm of " ~ recommender ~ " are " ~ similarities ~ "; write {model: weight}, such as {swing: 1}") }}
{%- endif -%}
{%- if augmentation == 'none' -%}
    {%- do return(similarities) -%}
{%- endif -%}
{%- set parts = {} -%}
{%- for similarity, weight in similarities.items() -%}
    {#- text is not learnt from events. -#}
    {%- set retrained = events_are_fused() and similarity != 'text_neighbours' -%}
    {%- do parts.update({similarity ~ '_augmented' if retrained else similarity: weight}) -%}
{%- endfor -%}
{%- if var('fusion') == 'distil' -%}
    {%- if votes -%}
        {%- do parts.update({votes: var('distil_mu')}) -%}
    {%- endif -%}
    {%- if item_pairs and var('discriminator') == 'signals' -%}
        {%- do parts.update({item_pairs: var('pair_mu')}) -%}
    {%- endif -%}
{%- endif -%}
{%- do return(parts) -%}
{%- endmacro %}

{# The recommender of the arms that differ from llm_i2i in their pairs alone: append: Swing, as in the paper; distil: the main one. #}
{% macro control_recommender() -%}
{% do return('swing' if var('fusion') == 'append' else var('recommender')) %}
{%- endmacro %}
