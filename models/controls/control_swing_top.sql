-- models/controls/control_swing_top.sql: in place of the kept pairs, as many a user: Swing's own best items for the user (self-training).
{{ config(enabled=has_control('swing_top') == 'true', tags=['controls']) }}
{{ control_pairs('swing_top') }}
