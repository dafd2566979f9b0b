-- models/controls/index_random_keep.sql: the index fused with the pairs of control_random_keep.
{{ config(enabled=has_control('random_keep') == 'true', tags=['controls']) }}
{{ top_related(similarity_with_pairs(ref('control_random_keep'), control='random_keep')) }}
