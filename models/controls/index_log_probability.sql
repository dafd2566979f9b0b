-- models/controls/index_log_probability.sql: the index fused with the pairs of control_log_probability.
{{ config(enabled=has_control('log_probability') == 'true', tags=['controls']) }}
{{ top_related(similarity_with_pairs(ref('control_log_probability'), control='log_probability')) }}
