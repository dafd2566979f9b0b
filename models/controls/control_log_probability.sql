-- models/controls/control_log_probability.sql: in place of the kept pairs, as many a user: the generated candidates of highest log-probability.
{{ config(enabled=has_control('log_probability') == 'true', tags=['controls']) }}
{{ control_pairs('log_probability') }}
