-- models/index/i2i_index.sql: the index that is served, the product of the project, and beside it i2i_index_baseline, the same without the language model.
-- Both are copies of an index that index_of_arm.sql makes: from the whole log, with the recommender and the weights that the evaluation chose
-- (index_whole_augmented, index_whole), or, with serve_whole_log: false, of those that were evaluated. index_auto is the evaluated index of the
-- recommender that recommender_trials puts first.
{{ instances([
    {'table': 'i2i_index', 'index': 'index_whole_augmented' if serves_whole_log() else 'index_' ~ main_recommender() ~ '_augmented', 'enabled': true},
    {'table': 'i2i_index_baseline', 'index': 'index_whole' if serves_whole_log() else 'index_' ~ main_recommender(), 'enabled': true},
    {'table': 'index_auto', 'index': none, 'enabled': main_recommender() == 'auto'},
], name='{table}') }}
{%- set columns = 'trigger_item_id, related_item_id, score, rank, trigger_item_number, related_item_number' %}
{%- if index %}
select {{ columns }}
from {{ ref(index) }}
{%- else %}
{%- for candidate in candidate_recommenders() %}
select {{ columns }}
from {{ ref('index_' ~ candidate.name) }}
where (select recommender from {{ ref('recommender_trials') }} where place = 1) = '{{ candidate.name }}'
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- endif %}
