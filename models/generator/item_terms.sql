-- models/generator/item_terms.sql: TF-IDF of each item's text (method.md 2.10): words and word pairs of the title, brand or first words,
-- category levels and paths; binary term frequency x ln(items / items with the term), divided by the item's Euclidean norm.
{{ item_terms(ref('items')) }}
