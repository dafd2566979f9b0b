-- models/index/index_cooccurrence_text.sql: the index of co-occurrence and text neighbours, an arm without language model; with recommender cooccurrence_text, i2i_index_baseline is it.
{{ config(enabled=var('recommender') != 'cooccurrence_text') }}
{{ top_related(recommender_similarity('cooccurrence_text')) }}
