"""The commands of `llmi2i`, by theme; `llm_i2i.cli.main` loads a module when one of its commands is asked for."""
