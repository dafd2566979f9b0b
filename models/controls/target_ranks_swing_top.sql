-- models/controls/target_ranks_swing_top.sql: where the index of the control swing_top ranks each target.
{{ config(enabled=has_control('swing_top') == 'true', tags=['controls']) }}
{{ target_ranks(control_recommender(), 'swing_top', ref('index_swing_top'), ref('evaluation_triggers')) }}
