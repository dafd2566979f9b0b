-- models/index/index_swing_degree_normalised.sql: the index of degree-normalised Swing, an arm without language model.
{{ top_related(ref('swing_degree_normalised')) }}
