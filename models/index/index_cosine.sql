-- models/index/index_cosine.sql: the index of cosine, an arm without language model; with recommender cosine, i2i_index_baseline is it.
{{ config(enabled=var('recommender') != 'cosine') }}
{{ top_related(recommender_similarity('cosine')) }}
