"""What a project was, in digests, and what has changed since: for `state:new` and `state:modified`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import Exposure, Node
from llm_i2i.graph.resource import EXPOSURE_PREFIX

STATE_FORMAT = 1
_QUOTED_OR_COMMENT = re.compile(
    r"""(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$)|--[^\n]*|/\*.*?\*/""", re.DOTALL
)
_CHECKED = ("materialized", "enabled", "grain", "max_error_ratio", "pre_hook", "post_hook")

State = dict[str, str]  # part -> digest: body, configs, contract, udfs


def project_state(manifest: Manifest, udf_versions: Mapping[str, str]) -> dict[str, State]:
    """The state of every resource, by key. Rendered SQL counts, comments and layout do not.

    Args:
        udf_versions: Lower-case name of each UDF -> digest of its source.
    """
    states = {name: _node_state(node, udf_versions) for name, node in manifest.nodes.items()}
    for exposure in manifest.exposures.values():
        states[EXPOSURE_PREFIX + exposure.name] = _exposure_state(exposure)
    return states


def _node_state(node: Node, udf_versions: Mapping[str, str]) -> State:
    sql = node.sql.lower()
    called = {
        name: version
        for name, version in udf_versions.items()
        if name in sql and re.search(rf"\b{re.escape(name)}\s*\(", sql)
    }
    body = [without_layout(node.sql), node.file_path, node.file_format]
    if reading := node.config.get("reading"):
        body.append(reading)
    known = {key: value for key, value in node.config.items() if key in _CHECKED}
    return {
        "body": fingerprint(body),
        "configs": fingerprint([known, sorted(node.tags)]),
        "contract": fingerprint(node.contract.columns if node.contract else None),
        "udfs": fingerprint(called),
    }


def _exposure_state(exposure: Exposure) -> State:
    body = [exposure.type, exposure.owner, exposure.reads, exposure.url, exposure.maturity]
    return {"body": fingerprint(body), "configs": fingerprint(sorted(exposure.tags))}


def without_layout(sql: str) -> str:
    """SQL without comments, with each stretch of white space as one blank; text in quotes stays as it is."""
    pieces: list[str] = []
    start = 0
    for match in _QUOTED_OR_COMMENT.finditer(sql):
        pieces += sql[start : match.start()].split()
        if match["quoted"]:
            pieces.append(match["quoted"])
        start = match.end()
    return " ".join(pieces + sql[start:].split())


def compare_states(
    now: Mapping[str, State], before: Mapping[str, State]
) -> dict[str, frozenset[str]]:
    """Resource key -> the words of `state:` it answers to; what is new counts as modified too, as in dbt."""
    words: dict[str, frozenset[str]] = {}
    for key, state in now.items():
        old = before.get(key)
        if old is None:
            words[key] = frozenset({"new", "modified"})
            continue
        changed = {part for part, digest in old.items() if digest != state.get(part)}
        if changed:
            parts = {f"modified.{part}" for part in changed}
            words[key] = frozenset({"old", "modified", *parts})
        else:
            words[key] = frozenset({"old", "unmodified"})
    return words


# -- a manifest.json in dbt's shape ----------------------------------------------------------------


def manifest_states(
    raw: Mapping[str, Any], now: Mapping[str, State], is_same_file: Callable[[str, str], bool]
) -> dict[str, State]:
    """States that a manifest.json of dbt's shape holds: it knows the file a node was written in, not what it rendered to.

    Args:
        is_same_file: Whether a node's file has a checksum.
    """
    found: dict[str, State] = {}
    for section in ("nodes", "sources", "exposures"):
        for unique_id, entry in (raw.get(section) or {}).items():
            key = resource_key(unique_id)
            if key is None or key not in now:
                continue
            checksum = (entry.get("checksum") or {}).get("checksum")
            same = section != "nodes" or is_same_file(key, str(checksum))
            found[key] = {"body": now[key]["body"] if same else str(checksum)}
            materialized = (entry.get("config") or {}).get("materialized")
            if section == "nodes" and materialized:
                found[key]["materialized"] = materialized
    return found


def resource_key(unique_id: str) -> str | None:
    """Our key of dbt's `model.project.name`, None for what we do not select."""
    kind, _, rest = unique_id.partition(".")
    parts = rest.split(".")[1:]
    if kind in ("model", "seed") and parts:
        return parts[0]
    if kind == "source" and len(parts) == 2:
        return "__".join(parts)
    if kind == "exposure" and parts:
        return EXPOSURE_PREFIX + parts[0]
    return None
