-- models/controls/index_swing_top.sql: the index fused with the pairs of control_swing_top.
{{ config(enabled=has_control('swing_top') == 'true', tags=['controls']) }}
{{ top_related(similarity_with_pairs(ref('control_swing_top'), control='swing_top')) }}
