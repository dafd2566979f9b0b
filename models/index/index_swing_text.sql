-- models/index/index_swing_text.sql: the index of Swing and text neighbours, an arm without language model; with recommender swing_text, i2i_index_baseline is it.
{{ config(enabled=var('recommender') != 'swing_text') }}
{{ top_related(recommender_similarity('swing_text')) }}
