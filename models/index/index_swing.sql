-- models/index/index_swing.sql: the index of Swing as the protocol has it, an arm without language model; with recommender swing, i2i_index_baseline is it.
{{ config(enabled=var('recommender') != 'swing') }}
{{ top_related(recommender_similarity('swing')) }}
