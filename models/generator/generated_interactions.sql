-- models/generator/generated_interactions.sql: the items the generator expects next for each user, those of the train part excluded (method.md 2.5).
{{ generated_interactions(ref('generator'), ref('generator_prompts'), ref('interactions_train')) }}
