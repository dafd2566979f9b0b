-- models/similarity/distilled_item_pairs.sql: the judged item pairs as a similarity: the confidence that the related item follows.
{{ config(enabled=var('discriminator') == 'signals' and var('fusion') == 'distil') }}
{{ distilled_item_pairs(ref('scored_item_pairs')) }}
