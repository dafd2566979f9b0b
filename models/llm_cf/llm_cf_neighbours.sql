-- models/llm_cf/llm_cf_neighbours.sql: BM25 or TF-IDF, where it is the recommender, on the log with LLM-CF's pairs.
{{ config(enabled=trains_backbone_on_llm_cf() == 'true' and var('recommender') in ['bm25', 'tfidf'], tags=['llm_cf']) }}
{{ backbone_neighbours('tfidf' if var('recommender') == 'tfidf' else 'bm25', augmented=true, events=llm_cf_events()) }}
