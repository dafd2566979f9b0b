-- models/index/index_text_neighbours.sql: the index of text neighbours, an arm without language model and without any event.
{{ top_related(ref('text_neighbours')) }}
