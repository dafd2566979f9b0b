-- models/index/index_cooccurrence.sql: the index of co-occurrence, an arm without language model.
{{ top_related(ref('cooccurrence')) }}
