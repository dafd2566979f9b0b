{# What an arm's index is made of. The lists arms, recommenders, vote_sets and judged_sets (project/arms.yml, models/*/part.yml) say which arms there are. #}

{# Whether the augmented recommenders learn from other events than the log's: synthetic ones (append), or real ones that were filtered. #}
{% macro events_are_fused() %}{% do return(var('fusion') == 'append' or is_filtering()) %}{% endmacro %}

{# The recommender that the index is made of. `auto` is the one that recommender_trials puts first; where the augmented recommenders learn from other
   events than the log's, it stands for Swing, the paper's. #}
{% macro main_recommender() -%}
{% do return('swing' if var('recommender') == 'auto' and events_are_fused() else var('recommender')) %}
{%- endmacro %}

{# The recommenders that recommender_trials compares: those of the list that may be chosen, or the one that the var names. #}
{% macro candidate_recommenders() -%}
{%- set known = entries('recommenders') -%}
{%- do return(known | selectattr('may_be_chosen') | list if main_recommender() == 'auto' else known | selectattr('name', 'equalto', main_recommender()) | list) -%}
{%- endmacro %}

{# Whether the index that is served is made from the whole log (models/whole_log/part.yml). The parts that change the events, and the backbones, have
   their index from the train part alone. #}
{% macro serves_whole_log() -%}
{%- set can_be_made = not is_filtering() and candidate_recommenders() | selectattr('may_be_chosen') | list | length > 0 -%}
{% do return(var('serve_whole_log') and var('fusion') == 'distil' and var('discriminator') == 'signals' and can_be_made) %}
{%- endmacro %}

{# Similarity of the whole log -> weight, an SQL expression: what the chosen recommender gives it. #}
{% macro similarities_of_whole_log() -%}
{%- set found = {} -%}
{%- for recommender in candidate_recommenders() -%}
    {%- for similarity, weight in recommender.similarities.items() -%}
        {%- set name = similarity if similarity in ['text_neighbours', 'encoder_neighbours'] else 'whole_' ~ similarity -%}
        {%- do found.update({name: found.get(name, []) + [" when '" ~ recommender.name ~ "' then " ~ weight]}) -%}
    {%- endfor -%}
{%- endfor -%}
{%- for name, cases in found.items() -%}
    {%- do found.update({name: 'case (select recommender from ' ~ ref('recommender_trials') ~ ' where place = 1)' ~ cases | join('') ~ ' else 0 end'}) -%}
{%- endfor -%}
{%- do return(found) -%}
{%- endmacro %}

{# A recommender's name, as an SQL expression. #}
{% macro recommender_name(recommender) -%}
{{ "(select recommender from " ~ ref('recommender_trials') ~ " where place = 1)" if recommender == 'auto' else quote_literal(recommender) }}
{%- endmacro %}

{# The weights that fusion_trials tries: those of var fusion_grid, or the one value of a var. Without votes or item pairs their weight is 0. #}
{% macro fusion_grid(votes, item_pairs) -%}
{%- set grid = {} -%}
{%- for name, is_there, least in [('distil_mu', votes, 0), ('pair_mu', item_pairs, 0), ('long_tail_vote', true, 1)] -%}
    {%- set values = [least] if not is_there else [var(name)] if var(name) is not none else var('fusion_grid').get(name) -%}
    {%- if not values or values is string or values is not sequence or values | reject('number') | list or values | min < least -%}
        {{ exceptions.raise_compiler_error("var fusion_grid needs a list of numbers from " ~ least ~ " on for " ~ name ~ ", and has " ~ values ~ "; write {distil_mu: [0, 1], pair_mu: [0, 4], long_tail_vote: [1, 1.5]}, or fix " ~ name ~ " by its own var") }}
    {%- endif -%}
    {%- do grid.update({name: values | map('float') | list}) -%}
{%- endfor -%}
{%- do return(grid) -%}
{%- endmacro %}

{# Model -> weight: what the index of an arm adds up. A weight is an SQL expression: those of votes and item pairs stand in the table `choice`.
   `similarities`: given for an arm that is no entry of the list recommenders. `appended`: a model that takes the place of the recommender under
   fusion append, when the arm's pairs are not those of fused_interactions. `votes`, `item_pairs`: what fusion distil adds. #}
{% macro arm_similarities(recommender, augmentation, similarities=none, votes=none, item_pairs=none, appended=none, choice='fusion_choice') -%}
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
    {%- set retrained = events_are_fused() and similarity not in ['text_neighbours', 'encoder_neighbours'] -%}
    {%- do parts.update({similarity ~ '_augmented' if retrained else similarity: weight}) -%}
{%- endfor -%}
{%- if var('fusion') == 'distil' -%}
    {%- if votes -%}
        {%- do parts.update({votes: '(select distil_mu from ' ~ ref(choice) ~ ')'}) -%}
    {%- endif -%}
    {%- if item_pairs and var('discriminator') == 'signals' -%}
        {%- do parts.update({item_pairs: '(select pair_mu from ' ~ ref(choice) ~ ')'}) -%}
    {%- endif -%}
{%- endif -%}
{%- do return(parts) -%}
{%- endmacro %}

{# The recommender of the arms that differ from llm_i2i in their pairs alone: append: Swing, as in the paper; distil: the main one. #}
{% macro control_recommender() -%}
{% do return('swing' if var('fusion') == 'append' else main_recommender()) %}
{%- endmacro %}

{# The tables of list_metrics, as instances: one for each arm that ranks by an index, and that of all arms together, which has none of their values. #}
{% macro list_metrics_tables() -%}
{%- set tables = [] -%}
{%- for entry in entries('arms') if entry.is_ranked and not entry.lists -%}
    {%- set table = entry.copied() -%}
    {%- do table.update({'table': 'list_metrics_' ~ entry.arm}) -%}
    {%- do tables.append(table) -%}
{%- endfor -%}
{%- set together = dict.fromkeys(tables | first) -%}
{%- do together.update({'table': 'list_metrics', 'description': 'Every arm.', 'tags': ['metrics'], 'enabled': true}) -%}
{%- do return(tables + [together]) -%}
{%- endmacro %}
