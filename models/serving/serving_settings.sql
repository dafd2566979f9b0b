-- models/serving/serving_settings.sql: how the service merges the lists of related items of a user's last items, unless a query says otherwise:
-- in the way in which the index was evaluated (method.md 5.1). The table has one row.
select
    cast({{ var('triggers') }} as integer) as triggers,
    {{ double(var('trigger_decay')) }} as decay,
    {{ var('exclude_seen') | lower }} as exclude_seen
