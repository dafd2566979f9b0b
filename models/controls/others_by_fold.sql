-- models/controls/others_by_fold.sql: the indices of all folds as one, with fold and item in one number: a trigger meets the rows of its user's fold
-- alone.
{{ config(materialized='ephemeral') }}
select
    trigger_item_number * {{ var('others_folds') or 1 }} + fold as trigger_item_number,
    related_item_number,
    score
from {{ ref('index_others') }}
