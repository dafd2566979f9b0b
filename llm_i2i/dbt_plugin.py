"""A dbt-duckdb plugin: the UDFs of an llm_i2i project, with their cache, inside a real dbt project.

In `profiles.yml` of the dbt project:

    plugins:
      - module: llm_i2i.dbt_plugin
        config:
          project_dir: ../shop          # the llm_i2i project: its udfs/, checkpoints and call cache
          target_path: target           # where its results are, if not in its own target_path
          vars: {language_model: small} # over the project's own
          calls: make                   # make: calls that are not cached are made and cached; cached: they are an error
          functions:                    # named arguments, fixed; those without a default follow the columns by position
            generate_items: {n: 30}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from llm_i2i.config.base import unknown_fix
from llm_i2i.errors import ProjectError
from llm_i2i.runner.inspection.served import register_udfs
from llm_i2i.runner.project import Project

KEYS = ("project_dir", "target_path", "vars", "calls", "functions")
CALLS = ("make", "cached")


class Plugin(BasePlugin):  # type: ignore[misc]
    """What dbt-duckdb creates of this module."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        for key in plugin_config:
            if key not in KEYS:
                raise _wrong(f"unknown key {key!r}", f"known keys: {', '.join(KEYS)}", key, KEYS)
        calls = plugin_config.get("calls", "make")
        if calls not in CALLS:
            raise _wrong("'calls' must be make or cached", repr(calls), str(calls), CALLS)
        self._only_cached = calls == "cached"
        self._constants = plugin_config.get("functions") or {}
        self._project = Project.load(
            Path(plugin_config.get("project_dir", ".")),
            vars=plugin_config.get("vars") or {},
            target_path=plugin_config.get("target_path"),
        )

    def configure_connection(self, conn: Any) -> None:
        """Register the UDFs on dbt's connection."""
        register_udfs(conn, self._project, constants=self._constants, only_cached=self._only_cached)


def _wrong(what: str, found: str, word: str, known: tuple[str, ...]) -> ProjectError:
    return ProjectError(
        what,
        where="profiles.yml: plugins: llm_i2i.dbt_plugin",
        found=found,
        fix=unknown_fix(word, known),
    )
