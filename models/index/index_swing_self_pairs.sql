-- models/index/index_swing_self_pairs.sql: the index of Swing with the u = v term, an arm without language model.
{{ top_related(ref('swing_self_pairs')) }}
