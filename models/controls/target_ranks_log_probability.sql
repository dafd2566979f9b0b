-- models/controls/target_ranks_log_probability.sql: where the index of the control log_probability ranks each target.
{{ config(enabled=has_control('log_probability') == 'true', tags=['controls']) }}
{{ target_ranks(control_recommender(), 'log_probability', ref('index_log_probability'), ref('evaluation_triggers')) }}
