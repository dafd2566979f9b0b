-- models/controls/control_popularity.sql: in place of the kept pairs, as many a user: items drawn in proportion to their events.
{{ config(enabled=has_control('popularity') == 'true', tags=['controls']) }}
{{ control_pairs('popularity') }}
