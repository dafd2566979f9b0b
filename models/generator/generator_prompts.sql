-- models/generator/generator_prompts.sql: one prompt per user, from the most recent events of the train part (method.md 2.5).
{{ generator_prompts(ref('interactions_train')) }}
