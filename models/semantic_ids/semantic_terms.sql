-- models/semantic_ids/semantic_terms.sql: as item_terms, for the items' embeddings.
{{ config(enabled=var('item_ids') == 'semantic') }}
{{ item_terms(ref('semantic_items')) }}
