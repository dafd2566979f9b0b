-- models/similarity/distilled_votes.sql: what the users of an item are expected to take next: A'G / A'1 (findings.md 3B), A the users' most recent
-- events weighted by age, G the votes of their candidates. A mean over the item's users, so it stays small where they disagree.
{{ distilled(ref('synthetic_interactions')) }}
