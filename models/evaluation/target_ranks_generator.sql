-- models/evaluation/target_ranks_generator.sql: where the generator's own list has each target.
{{ config(enabled=var('generator_arm')) }}
{{ target_ranks_of_lists(
    'generator', 'llm_i2i', '(select user_number as target_number, item_number, rank from ' ~ ref('generator_rankings') ~ ')'
) }}
