-- models/evaluation/target_ranks_augmented.sql: where the augmented index ranks each target.
{{ recommender_target_ranks(var('recommender'), 'llm_i2i', ref('i2i_index')) }}
