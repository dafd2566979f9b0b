-- models/controls/target_ranks_random_keep.sql: where the index of the control random_keep ranks each target.
{{ config(enabled=has_control('random_keep') == 'true', tags=['controls']) }}
{{ target_ranks(control_recommender(), 'random_keep', ref('index_random_keep'), ref('evaluation_triggers')) }}
