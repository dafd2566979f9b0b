-- models/controls/target_ranks_popularity.sql: where the index of the control popularity ranks each target.
{{ config(enabled=has_control('popularity') == 'true', tags=['controls']) }}
{{ target_ranks(control_recommender(), 'popularity', ref('index_popularity'), ref('evaluation_triggers')) }}
