-- models/index/index_cosine.sql: the index of cosine, an arm without language model.
{{ top_related(ref('cosine')) }}
