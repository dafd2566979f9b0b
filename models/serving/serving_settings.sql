-- models/serving/serving_settings.sql: how the service merges lists unless a query says otherwise: as the index was evaluated (method.md 5.1).
select
    cast({{ var('triggers') }} as integer) as triggers,
    {{ double(var('trigger_decay')) }} as decay,
    {{ var('exclude_seen') | lower }} as exclude_seen
