-- models/index/i2i_index.sql: the index that is served, the product of the project: index_<recommender>_augmented, which index_of_arm.sql makes.
-- Beside it i2i_index_baseline, the index without the language model; with recommender auto it is the one that recommender_trials puts first.
{{ instances([{'table': 'i2i_index', 'suffix': '_augmented'}, {'table': 'i2i_index_baseline', 'suffix': ''}], name='{table}') }}
{%- set columns = 'trigger_item_id, related_item_id, score, rank, trigger_item_number, related_item_number' %}
{%- if table == 'i2i_index_baseline' and main_recommender() == 'auto' %}
{%- for candidate in candidate_recommenders() %}
select {{ columns }}
from {{ ref('index_' ~ candidate.name) }}
where (select recommender from {{ ref('recommender_trials') }} where place = 1) = '{{ candidate.name }}'
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- else %}
select {{ columns }}
from {{ ref('index_' ~ main_recommender() ~ suffix) }}
{%- endif %}
