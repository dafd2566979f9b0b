-- models/evaluation/evaluation_triggers.sql: the items that query the index for each target, as the protocol has it (method.md 5.1).
{{ recent_triggers(protocol_setting('triggers'), protocol_setting('trigger_decay')) }}
