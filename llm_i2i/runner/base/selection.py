"""What selections ask of the disk: selectors.yml, the state of another build, the results of the last run."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llm_i2i.config.loader import LoadedProject
from llm_i2i.config.selectors import SelectorProperties, load_selectors
from llm_i2i.config.yaml_text import Mistakes
from llm_i2i.errors import ProjectError, closest, raise_all
from llm_i2i.graph.criteria import Selection, parse_definition
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.resource import Resources, list_resources
from llm_i2i.graph.selector import Selector
from llm_i2i.graph.state import (
    STATE_FORMAT,
    State,
    compare_states,
    manifest_states,
    project_state,
    resource_key,
)
from llm_i2i.store.files import replace_text

STATE_FILE, MANIFEST_FILE, RESULTS_FILE = "state.json", "manifest.json", "run_results.json"
_STATUSES = {
    "ok": "success",
    "reused": "success",
    "view": "success",
    "skip": "skipped",
    "runtime error": "error",
}

Versions = Callable[[], Mapping[str, str]]


class ProjectSelection:
    """Selects resources of one project; files are read when a selection first asks for them."""

    def __init__(
        self,
        loaded: LoadedProject,
        manifest: Manifest,
        target_dir: Path,
        state_dir: Path | None,
        udf_versions: Versions,
    ) -> None:
        self._loaded = loaded
        self._manifest = manifest
        self._target_dir = target_dir
        self._state_dir = state_dir
        self._udf_versions = udf_versions

    @functools.cached_property
    def resources(self) -> Resources:
        return list_resources(self._manifest)

    @functools.cached_property
    def selectors(self) -> dict[str, SelectorProperties]:
        return load_selectors(self._loaded.file, self._loaded.root)

    @property
    def default(self) -> list[str]:
        """The criteria of a command that says none: those of the default selector, if there is one."""
        return [f"selector:{s.name}" for s in self.selectors.values() if s.default]

    def select(self, select: list[str], exclude: list[str]) -> list[str]:
        """Keys of the selected resources in build order. See `graph.selector`."""
        chooser = Selector(self.resources, self, self._named, package=self._loaded.config.name)
        return chooser.select(select, exclude)

    def _named(self, name: str) -> Selection:
        selector = self.selectors.get(name)
        if selector is None:
            near = closest(name, self.selectors)
            raise ProjectError(
                f"there is no selector {name!r}",
                where="selectors.yml",
                found=f"{len(self.selectors)} selectors" + (f", closest {near}" if near else ""),
                fix=f"did you mean {near}?" if near else "write it in selectors.yml",
            )
        mistakes = Mistakes()
        parsed = parse_definition(selector.definition, selector.definition_place, mistakes)
        raise_all(mistakes.in_order())
        assert parsed is not None
        return parsed

    # -- state: ------------------------------------------------------------------------------------

    def states(self) -> Mapping[str, frozenset[str]]:
        return self._states

    @functools.cached_property
    def _states(self) -> dict[str, frozenset[str]]:
        if self._state_dir is None:
            raise ProjectError(
                "state: compares with another build, and none is given",
                found="no --state",
                fix=f"pass --state DIR, a folder with its {STATE_FILE} or {MANIFEST_FILE}",
            )
        now = project_state(self._manifest, self._udf_versions())
        return compare_states(*self._comparable(now, self._state_dir))

    def _comparable(
        self, now: dict[str, State], folder: Path
    ) -> tuple[dict[str, State], dict[str, State]]:
        own = _read_json(folder / STATE_FILE)
        if own is not None and own.get("version") == STATE_FORMAT:
            return now, own["nodes"]
        raw = _read_json(folder / MANIFEST_FILE)
        if raw is None:
            raise ProjectError(
                "there is no state to compare with",
                where=str(folder),
                found=f"neither {STATE_FILE} nor {MANIFEST_FILE}",
                fix="pass the target folder of a build: --state path/to/target",
            )
        for key, state in now.items():
            if key in self._manifest.nodes:
                node = self._manifest.nodes[key]
                state["materialized"] = str(node.config.get("materialized", node.materialized))
        return now, manifest_states(raw, now, self._is_same_file)

    def _is_same_file(self, key: str, checksum: str) -> bool:
        try:
            content = (self._loaded.root / self._manifest.nodes[key].path).read_bytes()
        except OSError:
            return False
        return checksum in {
            _sha256(content),
            _sha256(content.strip()),
        }  # dbt strips, others may not

    # -- result: -----------------------------------------------------------------------------------

    def results(self) -> Mapping[str, frozenset[str]]:
        return self._results

    @functools.cached_property
    def _results(self) -> dict[str, frozenset[str]]:
        path = (self._state_dir or self._target_dir) / RESULTS_FILE
        raw = _read_json(path)
        if raw is None:
            raise ProjectError(
                "there are no results of a run to select by",
                where=str(path),
                found="no such file",
                fix="run `llmi2i build` first, or pass --state DIR with its run_results.json",
            )
        tests = {check.name: check.model for check in self._manifest.checks}
        found: dict[str, set[str]] = {}
        for result in raw.get("results", []):
            unique_id, status = str(result.get("unique_id")), str(result.get("status")).lower()
            parts = unique_id.split(".")
            key = tests.get(parts[2]) if parts[0] == "test" and len(parts) > 2 else None
            key = key or resource_key(unique_id)
            if key is not None:
                found.setdefault(key, set()).add(_STATUSES.get(status, status))
        return {key: frozenset(statuses) for key, statuses in found.items()}


def write_state(target_dir: Path, manifest: Manifest, udf_versions: Mapping[str, str]) -> None:
    """Note what the project is now, for `--state` of a later command; nothing is written if that is known."""
    state = {"version": STATE_FORMAT, "nodes": project_state(manifest, udf_versions)}
    text = json.dumps(state, indent=1)
    path = target_dir / STATE_FILE
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except OSError:
        pass
    replace_text(path, text)


def _read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file, None where there is none.

    Raises:
        ProjectError: It is no JSON mapping.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ProjectError(
            f"{path.name} cannot be read",
            where=str(path),
            found=str(error),
            fix="build again, or pass another folder with --state",
        ) from error
    if not isinstance(raw, dict):
        raise ProjectError(
            f"{path.name} cannot be read", where=str(path), found="no mapping", fix="build again"
        )
    return raw


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
