"""What the site tells: a project, its environment and its store as plain values, ready for JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from llm_i2i.errors import LlmI2iError
from llm_i2i.graph.lineage import ColumnEdge, ColumnGraph
from llm_i2i.graph.node import Node
from llm_i2i.names import quote_identifier
from llm_i2i.plan.step import Plan
from llm_i2i.runner.build.data_tests import passed_record
from llm_i2i.runner.project import Project
from llm_i2i.sql.lineage import ROWS
from llm_i2i.store.environment import Pointer
from llm_i2i.store.store import ResultMeta
from llm_i2i.version import __version__

METRICS_TAG = "metrics"  # models with this tag are shown with their rows
SHOWN_ROWS = 200  # of such a model
CURVE_POINTS = 300  # of a loss curve; longer logs are thinned out
STEP, LOSS, VALIDATION, CHECKPOINT = "step", "loss", "validation_loss", "checkpoint"


@dataclass(frozen=True)
class Catalog:
    """Everything on the site.

    Attributes:
        index: What each page needs: the graph, names, columns and states.
        nodes: The details of each node, in the order of the index.
        figures: Name in the site -> file to copy there.
    """

    index: dict[str, Any]
    nodes: list[dict[str, Any]]
    figures: dict[str, Path]


def read_catalog(project: Project) -> Catalog:
    """Everything the site tells of a project and its environment; nothing is built."""
    reader = _Reader(project)
    order = [n for n in project.manifest.dag.order if n in reader.lineage.types]
    numbers = {name: number for number, name in enumerate(order)}
    nodes = [reader.details(project.manifest.nodes[name]) for name in order]
    experiments = list(_experiments(project.target_dir / "experiments"))
    index = {
        "project": project.loaded.config.name,
        "environment": project.environment.name,
        "version": __version__,
        "generated": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "nodes": [
            {
                "name": name,
                "folder": _folder(project.manifest.nodes[name]),
                "kind": project.manifest.nodes[name].materialized,
                "description": project.manifest.nodes[name].description.strip(),
                "tags": list(project.manifest.nodes[name].tags),
                "state": details["state"],
                "rows": (details["run"] or {}).get("rows"),
                "seconds": (details["run"] or {}).get("seconds"),
                "tests": len(details["tests"]),
                "failed": sum(test["state"] == "failed" for test in details["tests"]),
                "reads": [numbers[r] for r in project.manifest.nodes[name].reads if r in numbers],
                "columns": [column["name"] for column in details["columns"]],
                "metrics": bool(details["preview"]),
                "curves": bool(details["curves"]),
            }
            for name, details in zip(order, nodes, strict=True)
        ],
        "experiments": [experiment for experiment, _ in experiments],
    }
    figures = {e["figure"]: file for e, file in experiments if file is not None}
    return Catalog(index, nodes, figures)


def _folder(node: Node) -> str:
    """Folder of a model below its model path, as the graph groups them."""
    return "sources" if node.is_source else "/".join(Path(node.path).parts[1:-1]) or "models"


class _Reader:
    """Reads one project; what all nodes share is read once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.compiled = project.compile()
        self.lineage: ColumnGraph = project.lineage()
        self.pointers: Mapping[str, Pointer] = project.environment.pointers()

    @cached_property
    def plan(self) -> Plan | None:
        """What a build would do now; None where that cannot be said."""
        try:
            return self.project.plan()
        except LlmI2iError:
            return None

    def details(self, node: Node) -> dict[str, Any]:
        """What the page of a node shows."""
        model = self.compiled.get(node.name)
        pointer = self.pointers.get(node.name)
        meta = self.project.store.meta(node.name, pointer.fingerprint) if pointer else None
        is_view = pointer is not None and bool(pointer.sql)
        return {
            "name": node.name,
            "path": node.path,
            "kind": node.materialized,
            "description": node.description.strip(),
            "tags": list(node.tags),
            "grain": list(node.config.get("grain") or []),
            "data": node.file_path,
            "vars": node.inputs.get("vars", {}),
            "macros": node.inputs.get("macros", []),
            "prompts": node.inputs.get("prompts", []),
            "udfs": sorted(model.udfs) if model else [],
            "columns": list(self._columns(node)),
            "rows_from": self._sources(node.name, ROWS),
            "rows_to": self._targets(node.name, ROWS),
            "sql": _read_text(self.project.dir / node.path) if model else "",
            "compiled": model.text() if model else "",
            "tests": list(self._tests(node, meta)),
            "state": self._state(node, pointer),
            "run": self._run(meta) if meta else None,
            "curves": list(self._curves(node.name, meta)) if meta else [],
            "preview": self._preview(node)
            if METRICS_TAG in node.tags and (meta or is_view)
            else None,
        }

    def _state(self, node: Node, pointer: Pointer | None) -> str:
        """`current`: published as the files have it now; `changed`: they changed since; `not built`; `source`."""
        if node.is_source:
            return "source"
        if pointer is None:
            return "not built" if node.materialized != "ephemeral" else "ephemeral"
        known = self.plan.fingerprints.get(node.name) if self.plan else None
        return "current" if known == pointer.fingerprint else "changed"

    def _columns(self, node: Node) -> Iterator[dict[str, Any]]:
        properties = self.project.loaded.properties
        described: dict[str, str] = {}
        if (model := self.project.manifest.properties.get(node.name)) is not None:
            described = {column.name: column.description for column in model.columns}
        elif node.is_source:
            source, _, table = node.name.partition("__")
            found = (
                properties.sources[source].table(table) if source in properties.sources else None
            )
            described = {c.name: c.description for c in found.columns} if found else {}
        tests: dict[str, list[str]] = {}
        for check in self.project.manifest.checks_of(node.name):
            if check.column:
                tests.setdefault(check.column, []).append(check.name)
        for name, sql_type in self.lineage.types[node.name].items():
            yield {
                "name": name,
                "type": sql_type,
                "description": described.get(name, "").strip(),
                "tests": tests.get(name, []),
                "from": self._sources(node.name, name),
                "to": self._targets(node.name, name),
            }

    def _sources(self, node: str, column: str) -> list[list[Any]]:
        return [_end(e, upstream=True) for e in self.lineage.direct((node, column), "upstream")]

    def _targets(self, node: str, column: str) -> list[list[Any]]:
        return [_end(e, upstream=False) for e in self.lineage.direct((node, column), "downstream")]

    def _tests(self, node: Node, meta: ResultMeta | None) -> Iterator[dict[str, Any]]:
        for check in self.project.manifest.checks_of(node.name):
            failing = self.project.target_dir / "failures" / f"{check.name}.csv"
            state = "not run"
            if self.plan and passed_record(check, self.plan, self.project.target_dir).exists():
                state = "passed"
            elif meta and failing.exists() and _time(failing) >= _time(self._meta_file(meta)):
                state = "failed" if check.severity == "error" else "warned"
            yield {
                "name": check.name,
                "column": check.column,
                "severity": check.severity,
                "place": check.where,
                "sql": check.sql.strip(),
                "state": state,
            }

    def _meta_file(self, meta: ResultMeta) -> Path:
        return self.project.store.folder(meta.node, meta.fingerprint) / "meta.json"

    def _run(self, meta: ResultMeta) -> dict[str, Any]:
        built = datetime.datetime.fromtimestamp(_time(self._meta_file(meta)), datetime.UTC)
        return {
            "rows": meta.rows,
            "seconds": meta.seconds,
            "calls": meta.calls,
            "bytes": sum(meta.files.values()),
            "fingerprint": meta.fingerprint,
            "built": built.isoformat(timespec="seconds"),
        }

    def _curves(self, name: str, meta: ResultMeta) -> Iterator[dict[str, Any]]:
        """A curve for each checkpoint of a training log: a table with step, loss and checkpoint."""
        columns = {column for column, _ in meta.columns}
        if not {STEP, LOSS, CHECKPOINT} <= columns:
            return
        validation = VALIDATION if VALIDATION in columns else "null"
        rows = self._rows(
            f"select {CHECKPOINT}, {STEP}, {LOSS}, {validation} from {quote_identifier(name)}"
            f" where {LOSS} is not null order by {CHECKPOINT}, {STEP}"
        )[1]
        found: dict[str, list[list[Any]]] = {}
        for checkpoint, *point in rows:
            found.setdefault(str(checkpoint), []).append(point)
        for checkpoint, points in found.items():
            stride = -(-len(points) // CURVE_POINTS)
            kept = [p for i, p in enumerate(points) if i % stride == 0 or i == len(points) - 1]
            yield {"checkpoint": checkpoint, "points": kept, "logged": len(points)}

    def _preview(self, node: Node) -> dict[str, Any]:
        columns, rows = self._rows(f"from {quote_identifier(node.name)}", SHOWN_ROWS)
        return {"columns": columns, "rows": rows}

    def _rows(self, sql: str, limit: int = -1) -> tuple[list[str], list[list[Any]]]:
        columns, rows = self.project.rows(sql, limit)
        return columns, [[plain_value(value) for value in row] for row in rows]


def _end(edge: ColumnEdge, *, upstream: bool) -> list[Any]:
    node, column = edge.source if upstream else edge.target
    return [node, column, edge.via, edge.guessed]


def plain_value(value: Any) -> Any:
    """A value of a row as JSON can hold it."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _time(path: Path) -> float:
    return path.stat().st_mtime


def _experiments(folder: Path) -> Iterator[tuple[dict[str, Any], Path | None]]:
    """Each experiment that was run: its summary's rows, and its figure."""
    import pyarrow.parquet as pq

    for file in sorted(folder.glob("*/summary.parquet")):
        name = file.parent.name
        table = pq.read_table(file)
        wanted = ["variant", "dataset", "recommender", "augmentation", "segment", "split", "metric", "k", "n_seeds", "value", "lower", "upper", "published"]  # fmt: skip
        table = table.select([c for c in wanted if c in table.column_names]).slice(0, SHOWN_ROWS)
        figure = next(
            (f for s in ("svg", "png") if (f := file.parent / f"figure.{s}").exists()), None
        )
        yield (
            {
                "name": name,
                "columns": table.column_names,
                "rows": [[plain_value(v) for v in row.values()] for row in table.to_pylist()],
                "figure": f"figures/{name}{figure.suffix}" if figure else "",
            },
            figure,
        )
