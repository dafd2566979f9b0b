-- models/index/index_swing_plain.sql: the index of Swing over pairs of different users, an arm without language model.
{{ top_related(ref('swing_plain')) }}
