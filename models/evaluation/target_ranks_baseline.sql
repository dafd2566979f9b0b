-- models/evaluation/target_ranks_baseline.sql: where the index without augmentation ranks each target.
{{ recommender_target_ranks(var('recommender'), 'none', ref('i2i_index_baseline')) }}
