-- models/controls/control_random_keep.sql: in place of the kept pairs, as many a user: a seeded draw of the generated candidates.
{{ config(enabled=has_control('random_keep') == 'true', tags=['controls']) }}
{{ control_pairs('random_keep') }}
