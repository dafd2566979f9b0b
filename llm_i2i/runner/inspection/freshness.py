"""How old the sources are: the newest row, or the newest file, against what YAML allows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

from llm_i2i.config.freshness import Age
from llm_i2i.errors import EngineError, LlmI2iError, NodeError, ProjectError
from llm_i2i.graph.node import Node
from llm_i2i.names import quote_identifier
from llm_i2i.store.files import replace_text

if TYPE_CHECKING:
    from pathlib import Path

    from llm_i2i.engine.base import Engine
    from llm_i2i.graph.manifest import Manifest
    from llm_i2i.runner.base.sources import SourceFiles

FILE = "sources.json"
SCHEMA = "https://schemas.getdbt.com/dbt/sources/v3.json"
_TIMES = ("TIMESTAMP", "DATE")

Status = Literal["pass", "warn", "error", "runtime error"]


class HasSources(Protocol):
    """What is read of a project here."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def sources(self) -> SourceFiles: ...
    def select(self, select: Sequence[str], exclude: Sequence[str]) -> list[str]: ...
    def local_engine(self) -> Engine: ...


@dataclass(frozen=True)
class SourceAge:
    """One source: when its newest row was loaded (None: it has none), and what that means."""

    node: Node
    status: Status
    checked_at: datetime
    loaded_at: datetime | None = None
    seconds: float = 0.0
    error: LlmI2iError | None = None

    @property
    def age(self) -> timedelta | None:
        return self.checked_at - self.loaded_at if self.loaded_at else None


def check_freshness(
    project: HasSources,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    now: datetime | None = None,
) -> Iterator[SourceAge]:
    """The age of each selected source that declares `freshness`.

    Args:
        now: What ages are counted to.

    Raises:
        ProjectError: No selected source declares it.
    """
    nodes = [project.manifest.nodes[name] for name in project.select(select, exclude)]
    chosen = [node for node in nodes if node.is_source and node.config.get("freshness")]
    if not chosen:
        raise ProjectError(
            "nothing selected",
            found="no source with freshness: among the selected nodes",
            fix="declare freshness: {warn_after: {count: 1, period: day}} on a source",
        )
    for node in chosen:
        yield _age(project, node, now or datetime.now(UTC))


def _age(project: HasSources, node: Node, now: datetime) -> SourceAge:
    started = time.monotonic()
    try:
        loaded_at = _loaded_at(project, node)
    except LlmI2iError as error:
        seconds = time.monotonic() - started
        return SourceAge(node, "runtime error", now, seconds=seconds, error=error)
    status = _status(None if loaded_at is None else now - loaded_at, node.config["freshness"])
    return SourceAge(node, status, now, loaded_at, time.monotonic() - started)


def _status(age: timedelta | None, freshness: dict[str, Any]) -> Status:
    """A source without a row is as old as can be."""
    for threshold, status in (("error_after", "error"), ("warn_after", "warn")):
        limit = freshness.get(threshold)
        if limit and (age is None or age > Age(**limit).length):
            return "error" if status == "error" else "warn"
    return "pass"


def _loaded_at(project: HasSources, node: Node) -> datetime | None:
    """The largest `loaded_at_field`; without one, when the newest of the files was written."""
    field = node.config.get("loaded_at_field") or ""
    if field.isidentifier():
        field = quote_identifier(field)  # a column; anything else is an expression
    if not field:
        newest = max(path.stat().st_mtime for path in project.sources.files(node))
        return datetime.fromtimestamp(newest, UTC)
    condition = node.config["freshness"].get("filter")
    rows = f"from ({project.sources.scan(node)}) as source" + f" where {condition}" * bool(
        condition
    )
    engine = project.local_engine()
    try:
        ((_, kind),) = engine.columns(f"select max({field}) as loaded_at {rows}")
        value = f"max({field})" if kind.startswith(_TIMES) else f"cast(max({field}) as timestamp)"
        ((epoch,),) = engine.rows(f"select epoch({value}) {rows}")
    except EngineError as error:
        raise NodeError(
            f"the age of source {node.name.replace('__', '.', 1)} cannot be told: {error.what}",
            where=node.path,
            found=error.found or f"loaded_at_field: {node.config['loaded_at_field']}",
            fix="write a column or expression that is a timestamp, such as to_timestamp(loaded)",
        ) from error
    finally:
        engine.close()
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)


def write_sources(target_dir: Path, ages: Sequence[SourceAge]) -> None:
    """`sources.json` in dbt's shape, in the target folder."""
    document = {
        "metadata": {"dbt_schema_version": SCHEMA, "generated_at": _text(datetime.now(UTC))},
        "results": [_result(age) for age in ages],
        "elapsed_time": round(sum(age.seconds for age in ages), 3),
    }
    replace_text(target_dir / FILE, json.dumps(document, indent=1))


def _result(age: SourceAge) -> dict[str, Any]:
    result: dict[str, Any] = {
        "unique_id": "source." + ".".join(age.node.fqn),
        "status": age.status,
        "error": age.error.what if age.error else None,
    }
    if age.error is None:
        result |= {
            "max_loaded_at": _text(age.loaded_at) if age.loaded_at else None,
            "snapshotted_at": _text(age.checked_at),
            "max_loaded_at_time_ago_in_s": age.age.total_seconds() if age.age else None,
            "criteria": age.node.config["freshness"],
            "execution_time": round(age.seconds, 3),
        }
    return result


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
