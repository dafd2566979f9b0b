-- models/index/i2i_index.sql: the index that is served, the product of the project: index_<recommender>_augmented, which index_of_arm.sql makes.
-- Beside it i2i_index_baseline, the index without the language model; with recommender auto it is the one that recommender_trials puts first.
-- best_recommender is that index as a similarity, which votes and item pairs are added to.
{{ instances([
    {'table': 'i2i_index', 'suffix': '_augmented', 'materialized': 'table', 'enabled': true},
    {'table': 'i2i_index_baseline', 'suffix': '', 'materialized': 'table', 'enabled': true},
    {'table': 'best_recommender', 'suffix': none, 'materialized': 'ephemeral', 'enabled': main_recommender() == 'auto'},
], name='{table}') }}
{{ config(materialized=materialized) }}
{%- set columns = 'trigger_item_id, related_item_id, score, rank, trigger_item_number, related_item_number' %}
{%- if table == 'best_recommender' %}
select
    trigger_item_id as item_id,
    related_item_id,
    score,
    trigger_item_number as item_number,
    related_item_number
from {{ ref('i2i_index_baseline') }}
{%- elif table == 'i2i_index_baseline' and main_recommender() == 'auto' %}
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
