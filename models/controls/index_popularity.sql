-- models/controls/index_popularity.sql: the index fused with the pairs of control_popularity.
{{ config(enabled=has_control('popularity') == 'true', tags=['controls']) }}
{{ top_related(similarity_with_pairs(ref('control_popularity'), control='popularity')) }}
