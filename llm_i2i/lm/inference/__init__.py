"""Checkpoint -> answers. Never imports `lm.training`; torch is imported here, and only when a backend opens."""
