"""`manifest.json`, `run_results.json` and `catalog.json` in dbt's shapes (v12, v6, v1), for tools that read those.

Only what dbt knows is a node: models, seeds, sources, data tests, macros, exposures. What is ours stands where dbt leaves room:
under `meta.llm_i2i` of a node, and in `adapter_response` of a result.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from llm_i2i.config.data_tests import DataTestProperties
from llm_i2i.config.loader import LoadedProject
from llm_i2i.config.properties import ColumnProperties, SourceTable
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.compile import CompiledModel
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import DataCheck, Node
from llm_i2i.names import quote_identifier
from llm_i2i.render.environment import Macro, MacroLibrary
from llm_i2i.runner.artifacts.unit_tests import unit_result, unit_test_entry, unit_test_id
from llm_i2i.runner.build.events import CheckOutcome, NodeOutcome, UnitOutcome
from llm_i2i.store.files import replace_text
from llm_i2i.store.store import ResultMeta

MANIFEST, RUN_RESULTS, CATALOG = "manifest.json", "run_results.json", "catalog.json"
DBT_VERSION = "1.12.0"  # whose shapes these are; dbt's classes read it
SCHEMA = "main"
OURS = "llm_i2i"
_SCHEMAS = "https://schemas.getdbt.com/dbt"
_MACRO_END = re.compile(r"\{%-?\s*end(macro|test|data_test)\s*-?%\}")
_STATUS = {"OK": "success", "REUSED": "success", "VIEW": "success"} | {
    "ERROR": "error",
    "SKIP": "skipped",
}


@dataclass(frozen=True)
class Artifacts:
    """One invocation's artifacts of a project.

    Attributes:
        macros: All of them, ours and the packages' too.
        env: Environment; its catalogue is the database that relations are in.
        compiled: The models that were compiled.
        fingerprints: Node -> fingerprint of its planned result.
    """

    loaded: LoadedProject
    manifest: Manifest
    macros: MacroLibrary
    env: str
    compiled: Mapping[str, CompiledModel]
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    invocation: str = field(default_factory=lambda: str(uuid.uuid4()))

    # -- names ---------------------------------------------------------------------------------------------------------

    @property
    def project(self) -> str:
        return self.loaded.config.name

    @cached_property
    def _tables(self) -> dict[str, tuple[str, str, SourceTable]]:
        """Node name of a source table -> source, its description, table."""
        return {
            f"{source.name}__{table.name}": (source.name, source.description, table)
            for part in self.loaded.parts
            for source in part.properties.sources.values()
            for table in source.tables
        }

    def _reads(self, node: Node) -> list[str]:
        """What dbt would say a node reads: the file of a seed is no node there."""
        return [n for n in node.reads if n in self._tables or not self.manifest.nodes[n].is_source]

    def unique_id(self, name: str) -> str:
        """dbt's name of a node."""
        node = self.manifest.nodes[name]
        if node.is_source:
            source, _, table = self._tables[name]
            return f"source.{self.project}.{source}.{table.name}"
        return f"{_kind(node)}.{self.project}.{name}"

    def test_id(self, check: DataCheck) -> str:
        """dbt's name of a data test; two of one name differ in their SQL or in where they stand."""
        digest = fingerprint([check.where, check.sql])[:10]
        return f"test.{self.project}.{check.name}.{digest}"

    def relation(self, node: Node) -> str | None:
        """Where a published node can be read; None for what has no relation of its own."""
        if node.is_source or node.materialized == "ephemeral":
            return None
        return ".".join(map(quote_identifier, (self.env, SCHEMA, node.name)))

    def _metadata(self, kind: str) -> dict[str, Any]:
        from llm_i2i.version import __version__

        return {
            "dbt_schema_version": f"{_SCHEMAS}/{kind}.json",
            "dbt_version": DBT_VERSION,
            "generated_at": instant(time.time()),
            "invocation_id": self.invocation,
            "env": {"llm_i2i_version": __version__},
        }

    # -- manifest ------------------------------------------------------------------------------------------------------

    def manifest_json(self) -> dict[str, Any]:
        """The project as dbt's `manifest.json`, version 12."""
        graph = self.manifest.nodes.values()
        nodes = {self.unique_id(n.name): self._model(n) for n in graph if not n.is_source}
        nodes |= {self.test_id(c): self._test(c) for c in self.manifest.checks}
        sources = {
            self.unique_id(n): self._source(self.manifest.nodes[n])
            for n in self._tables
            if n in self.manifest.nodes
        }
        exposures = dict(self._exposures())
        macros = {
            self._macro_id(m): self._macro(m) for m in map(self.macros.__getitem__, self.macros)
        }
        parents = {
            key: list(dict.fromkeys(value["depends_on"]["nodes"]))
            for key, value in {**nodes, **exposures}.items()
        } | {key: [] for key in sources}
        children: dict[str, list[str]] = {key: [] for key in parents}
        for child, above in parents.items():
            for parent in above:
                children[parent].append(child)
        return {
            "metadata": {
                **self._metadata("manifest/v12"),
                "project_name": self.project,
                "project_id": hashlib.md5(self.project.encode()).hexdigest(),
                "adapter_type": "duckdb",
                "send_anonymous_usage_stats": False,
            },
            "nodes": nodes,
            "sources": sources,
            "macros": macros,
            "exposures": exposures,
            "unit_tests": {
                unit_test_id(self.project, check): unit_test_entry(
                    self.project, check, self.unique_id
                )
                for check in self.manifest.unit_checks
            },
            "parent_map": parents,
            "child_map": children,
            "disabled": {},
        } | {
            key: {}
            for key in "docs metrics groups selectors group_map saved_queries semantic_models functions".split()
        }

    def _model(self, node: Node) -> dict[str, Any]:
        properties = self.manifest.properties.get(node.name)
        raw = _read(self.loaded.root / node.path)
        model = self.compiled.get(node.name)
        meta = {**node.config.get("meta", {}), OURS: self._ours(node, model)}
        found = {
            **self._resource(_kind(node), self.unique_id(node.name), node.name, node.path),
            "fqn": [self.project, *self._folders(node.path), node.name],
            **self._place(node),
            "alias": node.name,
            "checksum": {"name": "sha256", "checksum": _digest(raw)},
            "config": {
                "enabled": True,
                "materialized": node.materialized,
                "tags": list(node.tags),
                "meta": meta,
                "contract": node.config.get("contract") or {"enforced": False},
            },
            "tags": list(node.tags),
            "meta": meta,
            "description": node.description,
            "columns": _columns(properties.columns if properties else (), model),
            "patch_path": _patch(self.project, properties.location if properties else ""),
            "raw_code": raw,
            "language": "sql",
            "refs": [{"name": n} for n in node.reads if not self.manifest.nodes[n].is_source],
            "sources": [
                [self._tables[n][0], self._tables[n][2].name]
                for n in self._reads(node)
                if self.manifest.nodes[n].is_source
            ],
            "depends_on": {
                "nodes": [self.unique_id(n) for n in self._reads(node)],
                "macros": self._macro_ids(node.inputs.get("macros", [])),
            },
            "primary_key": list(node.config.get("grain") or []),
            "relation_name": self.relation(node),
        }
        if model is not None:
            found |= {
                "compiled": True,
                "compiled_code": model.text(),
                "compiled_path": f"{self.loaded.config.target_path}/compiled/{node.compiled_file(self.project)}",
                "extra_ctes_injected": True,
                "extra_ctes": [],
            }
        return found

    def _ours(self, node: Node, model: CompiledModel | None) -> dict[str, Any]:
        """What a node is made of beyond dbt's notions."""
        found: dict[str, Any] = {
            "vars": node.inputs.get("vars", {}),
            "prompts": list(node.inputs.get("prompts", [])),
        }
        if model is not None:
            found |= {"digest": model.digest, "udfs": dict(model.udfs)}
        if node.name in self.fingerprints:
            found["fingerprint"] = self.fingerprints[node.name]
        return found

    def _test(self, check: DataCheck) -> dict[str, Any]:
        node = self.manifest.nodes[check.model]
        declared = self._declared.get((check.model, check.column, check.where))
        test = declared.test if declared else "grain"
        path = check.where.partition(":")[0]
        tags = list(declared.tags) if declared else []
        return {
            **self._resource("test", self.test_id(check), check.name, path),
            "fqn": [self.project, *self._folders(path), check.name],
            "database": self.env,
            "schema": f"{SCHEMA}_dbt_test__audit",
            "alias": check.name,
            "checksum": {"name": "none", "checksum": ""},
            "config": {
                "enabled": True,
                "materialized": "test",
                "severity": check.severity,
                "tags": tags,
                "where": declared.where if declared else None,
                "limit": declared.limit if declared else None,
            },
            "tags": tags,
            "description": declared.description if declared else "",
            "raw_code": check.sql,
            "language": "sql",
            "refs": [{"name": n} for n in check.depends_on if not self.manifest.nodes[n].is_source],
            "depends_on": {
                "nodes": [self.unique_id(n) for n in check.depends_on],
                "macros": self._macro_ids([f"test_{test}"]),
            },
            "column_name": check.column,
            "attached_node": self.unique_id(check.model),
            "file_key_name": f"models.{node.name}",
            "test_metadata": {
                "name": test,
                "kwargs": {
                    **(declared.arguments if declared else {}),
                    "model": f"{{{{ get_where_subquery(ref('{check.model}')) }}}}",
                    **({"column_name": check.column} if check.column else {}),
                },
                "namespace": None,
            },
            "compiled": True,
            "compiled_code": check.sql,
            "extra_ctes_injected": True,
            "extra_ctes": [],
        }

    @cached_property
    def _declared(self) -> dict[tuple[str, str | None, str], DataTestProperties]:
        """Data tests as declared, by model, column and line."""
        return {
            (name, test.column, test.line): test
            for name, model in self.manifest.properties.items()
            for test in model.all_data_tests()
        }

    def _source(self, node: Node) -> dict[str, Any]:
        source, description, table = self._tables[node.name]
        path = node.path.partition(":")[0]
        return {
            **self._resource("source", self.unique_id(node.name), table.name, path),
            "path": path,
            "fqn": [self.project, *self._folders(path), source, table.name],
            **self._place(node),
            "schema": source,
            "source_name": source,
            "source_description": description,
            "loader": "files",
            "identifier": table.name,
            "external": {"location": node.file_path, "file_format": node.file_format},
            "description": table.description,
            "columns": _columns(table.columns, None),
            "meta": dict(table.meta),
            "tags": list(table.tags),
            "config": {"enabled": True, "tags": list(table.tags), "meta": dict(table.meta)},
            "relation_name": None,
        }

    def _exposures(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, exposure in getattr(self.manifest, "exposures", {}).items():
            key = f"exposure.{self.project}.{name}"
            path = exposure.path.partition(":")[0]
            yield (
                key,
                {
                    **self._resource("exposure", key, name, path),
                    "fqn": [self.project, *self._folders(path), name],
                    "type": exposure.type,
                    "owner": dict(exposure.owner),
                    "description": exposure.description,
                    "label": exposure.label or None,
                    "maturity": exposure.maturity or None,
                    "url": exposure.url or None,
                    "tags": list(exposure.tags),
                    "meta": dict(exposure.config.get("meta", {})),
                    "config": {"enabled": True},
                    "depends_on": {
                        "nodes": [self.unique_id(n) for n in exposure.reads],
                        "macros": [],
                    },
                    "refs": [
                        {"name": n} for n in exposure.reads if not self.manifest.nodes[n].is_source
                    ],
                },
            )

    # -- macros --------------------------------------------------------------------------------------------------------

    def _macro_ids(self, names: Iterable[str]) -> list[str]:
        return [self._macro_id(self.macros[name]) for name in names if name in self.macros]

    def _is_own(self, macro: Macro) -> bool:
        return (self.loaded.root / macro.file).is_file()

    def _macro_id(self, macro: Macro) -> str:
        return f"macro.{self.project if self._is_own(macro) else OURS}.{macro.name}"

    def _macro(self, macro: Macro) -> dict[str, Any]:
        properties = self.loaded.properties.macros.get(macro.name)
        own = self._is_own(macro)
        root = self.loaded.root if own else Path(__file__).parents[3]
        described = {a.name: a for a in properties.arguments} if properties else {}
        return {
            **self._resource("macro", self._macro_id(macro), macro.name, macro.file),
            "package_name": self.project if own else OURS,
            "path": macro.file,
            "macro_sql": _macro_text(_read(root / macro.file), macro.line),
            "depends_on": {"macros": []},
            "description": properties.description if properties else "",
            "arguments": [
                {
                    "name": name,
                    "type": described[name].type if name in described else None,
                    "description": described[name].description if name in described else "",
                }
                for name in macro.arguments
            ],
        }

    # -- run results ---------------------------------------------------------------------------------------------------

    def run_results_json(
        self,
        which: str,
        nodes: Iterable[NodeOutcome],
        checks: Iterable[CheckOutcome],
        units: Iterable[UnitOutcome],
        seconds: float,
        arguments: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Outcomes as dbt's `run_results.json`, version 6.

        Args:
            which: The command.
            arguments: What it was asked to do.
        """
        results = [
            *map(self._node_result, nodes),
            *map(self._check_result, checks),
            *(unit_result(self.project, unit) for unit in units),
        ]
        return {
            "metadata": self._metadata("run-results/v6"),
            "results": results,
            "elapsed_time": seconds,
            "args": {"which": which, "env": self.env, **arguments},
        }

    def _node_result(self, outcome: NodeOutcome) -> dict[str, Any]:
        node = outcome.step.node
        response: dict[str, Any] = {
            "fingerprint": outcome.step.fingerprint,
            "reused": outcome.status == "REUSED",
        }
        if outcome.status in ("OK", "REUSED"):
            response["rows_affected"] = outcome.rows
        if outcome.calls is not None:
            response |= {
                "calls": outcome.calls.made,
                "calls_cached": outcome.calls.cached,
                "calls_failed": outcome.calls.failed,
                "tokens": outcome.calls.tokens,
            }
        reason = f" ({outcome.step.reason})" if outcome.status == "REUSED" else ""
        message = outcome.error.render() if outcome.error else outcome.status + reason
        return self._result(
            self.unique_id(node.name),
            _STATUS[outcome.status],
            message,
            outcome.seconds,
            outcome.completed_at,
            response,
        ) | {
            "compiled_code": outcome.step.compiled.text(),
            "relation_name": self.relation(node),
        }

    def _check_result(self, outcome: CheckOutcome) -> dict[str, Any]:
        rows = f"{outcome.failures} result{'' if outcome.failures == 1 else 's'}"
        message = (
            outcome.error.render()
            if outcome.error
            else f"Got {rows}, configured to {outcome.check.severity} if != 0"
            if outcome.failures
            else None
        )
        return self._result(
            self.test_id(outcome.check),
            outcome.status.lower(),
            message,
            outcome.seconds,
            outcome.completed_at,
            {"reused": outcome.reused},
        ) | {
            "failures": outcome.failures,
            "compiled_code": outcome.check.sql,
            "relation_name": None,
        }

    def _result(
        self,
        unique_id: str,
        status: str,
        message: str | None,
        seconds: float,
        completed: float,
        response: dict[str, Any],
    ) -> dict[str, Any]:
        timing = {
            "name": "execute",
            "started_at": instant(completed - seconds),
            "completed_at": instant(completed),
        }
        return {
            "unique_id": unique_id,
            "status": status,
            "timing": [timing],
            "thread_id": "Thread-1",
            "execution_time": seconds,
            "adapter_response": response,
            "message": message,
            "failures": None,
            "compiled": True,
        }

    # -- catalog -------------------------------------------------------------------------------------------------------

    def catalog_json(self, results: Mapping[str, ResultMeta]) -> dict[str, Any]:
        """Columns and rows of what is stored as dbt's `catalog.json`, version 1, which its docs site asks for."""
        return {
            "metadata": self._metadata("catalog/v1"),
            "nodes": {
                self.unique_id(name): self._table(self.manifest.nodes[name], meta)
                for name, meta in results.items()
            },
            "sources": {},
            "errors": None,
        }

    def _table(self, node: Node, meta: ResultMeta) -> dict[str, Any]:
        return {
            "unique_id": self.unique_id(node.name),
            "metadata": {
                **self._place(node),
                "type": "VIEW",
                "name": node.name,
                "comment": node.description or None,
                "owner": None,
            },
            "columns": {
                name: {"name": name, "type": sql_type, "index": index, "comment": None}
                for index, (name, sql_type) in enumerate(meta.columns, start=1)
            },
            "stats": {
                "has_stats": _stat("Has Stats?", True, include=False),
                "num_rows": _stat("Rows", meta.rows, include=True),
            },
        }

    # -- what all resources share --------------------------------------------------------------------------------------

    def _resource(self, kind: str, unique_id: str, name: str, path: str) -> dict[str, Any]:
        return {
            "name": name,
            "resource_type": kind,
            "package_name": self.project,
            "path": self._below_models(path),
            "original_file_path": path,
            "unique_id": unique_id,
        }

    def _place(self, node: Node) -> dict[str, Any]:
        return {"database": self.env, "schema": SCHEMA}

    def _below_models(self, path: str) -> str:
        if path not in self._shortened:  # asked for each model, test and column of a file
            roots = [f for f in self.loaded.config.model_paths if Path(path).is_relative_to(f)]
            self._shortened[path] = Path(path).relative_to(roots[0]).as_posix() if roots else path
        return self._shortened[path]

    @cached_property
    def _shortened(self) -> dict[str, str]:
        """Path -> path below the model path, of those asked for so far."""
        return {}

    def _folders(self, path: str) -> list[str]:
        return list(Path(self._below_models(path)).parts[:-1])


def write_artifact(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """Write one artifact in one step: readers see the last one or this one."""
    replace_text(folder / name, json.dumps(content, ensure_ascii=False, default=str))


def instant(seconds: float) -> str:
    """A point in time as dbt writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _kind(node: Node) -> str:
    return str(getattr(node, "resource_type", "source" if node.is_source else "model"))


def _stat(label: str, value: Any, *, include: bool) -> dict[str, Any]:
    return {
        "id": label.lower(),
        "label": label,
        "value": value,
        "include": include,
        "description": "",
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()


def _patch(project: str, location: str) -> str | None:
    return f"{project}://{location.partition(':')[0]}" if location else None


def _columns(
    columns: Iterable[ColumnProperties], model: CompiledModel | None
) -> dict[str, dict[str, Any]]:
    """Columns as declared, with the type that compilation found where none is declared."""
    types = {name.lower(): sql_type for name, sql_type in model.columns} if model else {}
    return {
        column.name: {
            "name": column.name,
            "description": column.description,
            "data_type": column.data_type or types.get(column.name.lower()),
            "meta": dict(column.meta),
            "tags": list(column.tags),
            "constraints": [],
        }
        for column in columns
    }


def _macro_text(text: str, line: int) -> str:
    """A macro as it stands in its file, from its line to the end of it."""
    rest = "".join(text.splitlines(keepends=True)[line - 1 :])
    end = _MACRO_END.search(rest)
    return rest[: end.end()] if end else rest
