-- models/index/i2i_index_baseline.sql: the index without augmentation.
{{ top_related(ref('swing_baseline')) }}
