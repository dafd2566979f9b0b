-- models/index/index_cooccurrence.sql: the index of co-occurrence, an arm without language model; with recommender cooccurrence, i2i_index_baseline is it.
{{ config(enabled=var('recommender') != 'cooccurrence') }}
{{ top_related(recommender_similarity('cooccurrence')) }}
