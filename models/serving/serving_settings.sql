-- models/serving/serving_settings.sql: how the service merges unless a query says otherwise: as the index was evaluated (method.md 5.1).
select
    cast({{ protocol_setting('triggers') }} as integer) as triggers,
    {{ double(protocol_setting('trigger_decay')) }} as decay,
    {{ protocol_setting('exclude_seen') }} as exclude_seen
