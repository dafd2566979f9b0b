"""`Project`: the one object behind the command line and notebooks."""

from __future__ import annotations

import copy
import functools
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.config.loader import load_project
from llm_i2i.config.project import merge_vars
from llm_i2i.errors import ProjectError
from llm_i2i.graph.compile import CompiledModel, compile_models
from llm_i2i.graph.load import load_manifest, make_renderer
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import Node
from llm_i2i.graph.selector import select_nodes
from llm_i2i.plan.build import build_plan
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.events import BuildResult, CheckOutcome, Reporter
from llm_i2i.runner.run import run_build
from llm_i2i.runner.sources import JsonCache, SourceFiles
from llm_i2i.runner.steps import Workshop, plan_calls, run_checks
from llm_i2i.store.calls import CallCache
from llm_i2i.store.environment import Environment
from llm_i2i.store.files import file_lock, replace_text
from llm_i2i.store.store import Store
from llm_i2i.udf.batch import CallCounts
from llm_i2i.udf.registry import UdfRegistry

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.engine.base import Columns, Engine
    from llm_i2i.graph.compile import Binder


class Project:
    """A project on disk, with the vars and target of one invocation.

    `llm_i2i.Project` (llm_i2i/api.py) is this with results for notebooks, and experiments.
    """

    def __init__(
        self,
        project_dir: Path,
        *,
        vars: Mapping[str, Any] | None = None,
        target: str | None = None,
        env: str = "dev",
        target_path: str | Path | None = None,
        threads: int | None = None,
    ) -> None:
        self.dir = project_dir
        self.loaded = load_project(project_dir)
        self.vars = merge_vars(self.loaded.config, vars or {})
        self.target = self.loaded.config.target_settings(target)
        self._target_name = target or self.loaded.config.default_target
        self.target_dir = project_dir / (target_path or self.loaded.config.target_path)
        try:
            self.target_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(
                "the folder for results cannot be made",
                where=str(self.target_dir),
                found=str(error),
                fix="pass --target-path with a folder you may write to",
            ) from error
        self.threads = threads or self.target.threads
        if not env.replace("-", "_").isidentifier():
            raise ProjectError(
                f"environment {env!r} is not a name", fix="use letters, digits, _ and -"
            )
        self.environment = Environment(self.target_dir, env)
        self.store = Store(self.target_dir)
        self.calls = CallCache(self.target_dir)
        self.sources = SourceFiles(project_dir, JsonCache(self.target_dir / "cache" / "files.json"))
        self._compiled = JsonCache(self.target_dir / "cache" / "compiled.json")

    @classmethod
    def load(cls, project_dir: str | Path = ".", **settings: Any) -> Project:
        """Read a project. Settings: vars, target, env, target_path, threads."""
        return cls(Path(project_dir), **settings)

    @property
    def target_name(self) -> str:
        """The target of project.yml that this runs on."""
        return self._target_name

    def variant(self, vars: Mapping[str, Any], env: str) -> Project:
        """The same project with other vars, publishing another environment; what was read of its files is shared.

        Args:
            vars: Over the project's own, in place of those this one was loaded with.
        """
        other = copy.copy(self)
        other.__dict__.pop("manifest", None)
        other.vars = merge_vars(self.loaded.config, vars)
        other.environment = Environment(self.target_dir, env)
        return other

    # -- compile -------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def manifest(self) -> Manifest:
        renderer = make_renderer(self.loaded, self.vars, self._target_name)
        return load_manifest(self.loaded, renderer)

    @functools.cached_property
    def udfs(self) -> UdfRegistry:
        return UdfRegistry.load(self.dir / path for path in self.loaded.config.udf_paths)

    @functools.cached_property
    def serving(self) -> Mapping[str, Any]:
        """How the checkpoints of each language model are run: not part of any fingerprint.

        Raises:
            ProjectError: A wrong option under `serving:`.
        """
        from llm_i2i.lm.serving import project_serving

        return project_serving(self.loaded.config.language_models)

    def select(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> list[str]:
        """Names of the selected nodes in build order."""
        return select_nodes(self.manifest.nodes, self.manifest.dag, _words(select), _words(exclude))

    def compile(self, names: Iterable[str] | None = None) -> dict[str, CompiledModel]:
        """Compile models and their ancestors (all models by default)."""
        wanted = self._with_ancestors(self.manifest.dag.order if names is None else names)
        source_nodes = [self.manifest.nodes[n] for n in wanted if self.manifest.nodes[n].is_source]
        columns = {node.name: self._source_columns(node) for node in source_nodes}
        compiled = compile_models(
            self.manifest,
            wanted,
            columns,
            self.udfs.signatures,
            self._binder,
            self._compiled.values,
        )
        self._compiled.save()
        return compiled

    def plan(
        self,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
    ) -> Plan:
        """What `build` would do, as data. Nothing is run; with `full_refresh` the selected nodes count as stale."""
        return self._plan(select, exclude, self._refreshes(full_refresh, select, exclude))

    def _plan(
        self,
        select: str | Iterable[str],
        exclude: str | Iterable[str],
        refreshes: Mapping[str, int],
    ) -> Plan:
        selected = self.select(select, exclude)
        if all(self.manifest.nodes[name].is_source for name in selected):
            raise ProjectError(
                "nothing selected",
                found=f"only sources: {', '.join(selected)}",
                fix="select what reads them: source:name+",
            )
        compiled = self.compile(selected)
        wanted = self._with_ancestors(selected)
        fingerprints = {
            n: self.sources.fingerprint(self.manifest.nodes[n])
            for n in wanted
            if self.manifest.nodes[n].is_source
        }
        self.sources.save_digests()
        published = {
            name: pointer.fingerprint for name, pointer in self.environment.pointers().items()
        }
        return build_plan(
            self.manifest, selected, compiled, fingerprints, refreshes, self.store.meta, published
        )

    def _with_ancestors(self, names: Iterable[str]) -> list[str]:
        """Models and what they read, in build order; a source that none of them reads is left out."""
        wanted = {name for name in names if not self.manifest.nodes[name].is_source}
        for name in list(wanted):
            wanted |= self.manifest.dag.ancestors(name)
        return [name for name in self.manifest.dag.order if name in wanted]

    def _source_columns(self, node: Node) -> Columns:
        from llm_i2i.runner.sources import check_declared

        key = f"columns|{self.sources.fingerprint(node)}"
        known = self._compiled.values.get(key)
        if known is not None:
            columns = tuple((name, sql_type) for name, sql_type in known)
            check_declared(node, columns)
            return columns
        engine = self.new_engine()
        try:
            columns = self.sources.columns(node, engine)
        finally:
            engine.close()
        self._compiled.values[key] = columns
        return columns

    def _binder(self) -> Binder:
        return self.new_engine()

    def new_engine(self) -> Engine:
        """A fresh session of the target's engine."""
        from llm_i2i.engine.duckdb import DuckDBEngine

        spill = (
            self.dir / self.target.temp_directory if self.target.temp_directory else self._scratch()
        )
        return DuckDBEngine(
            threads=self.threads, memory_limit=self.target.memory_limit, spill_dir=spill
        )

    def _scratch(self) -> Path:
        return self.target_dir / "tmp" / str(os.getpid())

    # -- run -----------------------------------------------------------------------------------------------------------

    def build(
        self,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        *,
        full_refresh: bool = False,
        fail_fast: bool = False,
        max_calls: int | None = None,
        reporter: Reporter | None = None,
    ) -> BuildResult:
        """Build what is stale, test it, publish it.

        Raises:
            ProjectError: The project cannot be compiled; nothing was run.
        """
        refreshes = self._refreshes(full_refresh, select, exclude)
        plan = self._plan(select, exclude, refreshes)
        if full_refresh:
            replace_text(self._refresh_file, json.dumps(refreshes))
        shop = self._workshop(plan, reporter or Reporter(), max_calls)
        shop.reporter.started(
            plan,
            len(self.manifest.checks),
            sum(n.is_source for n in self.manifest.nodes.values()),
            len(self.udfs.signatures),
        )
        if plan.to_build:
            self._sweep()
        try:
            result = run_build(shop, self.environment, fail_fast=fail_fast)
            asked = {"select": _words(select), "exclude": _words(exclude)}
            self._write_artifacts(
                "build",
                plan,
                result,
                {**asked, "full_refresh": full_refresh, "fail_fast": fail_fast},
            )
            return result
        finally:
            shutil.rmtree(self._scratch(), ignore_errors=True)

    def test(
        self,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        reporter: Reporter | None = None,
    ) -> list[CheckOutcome]:
        """Run the data tests of the selected models on what is built now."""
        names = set(self.select(select, exclude))
        plan = self._plan((), (), self._refreshes(False, (), ()))
        shop = self._workshop(plan, reporter or Reporter())
        checks = [check for check in self.manifest.checks if check.model in names]
        if not checks:
            raise ProjectError(
                "nothing selected",
                found="no data test on the selected models",
                fix="see `llmi2i ls --resource-type test`",
            )
        for check in checks:
            missing = [name for name in check.depends_on if not shop.has_result(name)]
            if missing:
                raise ProjectError(
                    f"data test {check.name} needs {', '.join(missing)}",
                    where=check.where,
                    found="not built in its present state",
                    fix="run `llmi2i build` first",
                )
        outcomes = []
        started = time.monotonic()
        for outcome in run_checks(checks, shop, force=True):
            shop.reporter.check_finished(outcome)
            outcomes.append(outcome)
        result = BuildResult(checks=outcomes, seconds=time.monotonic() - started)
        asked = {"select": _words(select), "exclude": _words(exclude)}
        self._write_artifacts("test", plan, result, asked)
        shutil.rmtree(self._scratch(), ignore_errors=True)
        return outcomes

    def write_manifest(self, compiled: Mapping[str, CompiledModel]) -> None:
        """Write `manifest.json` of dbt's shape into the target folder."""
        from llm_i2i.runner.artifacts import MANIFEST, Artifacts, write_artifact

        artifacts = Artifacts(self.loaded, self.manifest, self.environment.name, compiled)
        write_artifact(self.target_dir, MANIFEST, artifacts.manifest_json())

    def _write_artifacts(
        self, which: str, plan: Plan, result: BuildResult, asked: Mapping[str, Any]
    ) -> None:
        """Write what dbt's tools read after a run: `manifest.json`, `run_results.json` and `catalog.json`."""
        from llm_i2i.runner.artifacts import (
            CATALOG,
            MANIFEST,
            RUN_RESULTS,
            Artifacts,
            write_artifact,
        )

        steps = [*plan.steps, *plan.ephemeral.values()]
        compiled = {step.node.name: step.compiled for step in steps}
        artifacts = Artifacts(
            self.loaded, self.manifest, self.environment.name, compiled, plan.fingerprints
        )
        asked = {"target": self.target_name, **asked}
        run = artifacts.run_results_json(which, result.nodes, result.checks, result.seconds, asked)
        stored = {
            name: meta
            for name, pointer in self.environment.pointers().items()
            if name in self.manifest.nodes and (meta := self.store.meta(name, pointer.fingerprint))
        }
        write_artifact(self.target_dir, MANIFEST, artifacts.manifest_json())
        write_artifact(self.target_dir, RUN_RESULTS, run)
        write_artifact(self.target_dir, CATALOG, artifacts.catalog_json(stored))

    def calls_of(self, plan: Plan, step: PlanStep) -> CallCounts | None:
        """UDF calls of a step: distinct, cached, tokens and time of the rest; None if that cannot be known yet."""
        return plan_calls(step, self._workshop(plan, Reporter()))

    def query(self, sql: str) -> duckdb.DuckDBPyRelation:
        """Run one read-only query on the published environment."""
        from llm_i2i.runner.query import open_catalogue, run_query

        connection = open_catalogue(self.environment, self.store)
        return run_query(connection, sql, list(self.environment.pointers()))

    def rows(self, sql: str, limit: int = -1) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of a query, at most `limit` of them (-1: all).

        Raises:
            ProjectError: The query is wrong, or fails while it runs.
        """
        from llm_i2i.runner.query import fetch_rows

        return fetch_rows(self.query(sql), limit)

    def render(self, sql: str) -> str:
        """Jinja of a piece of SQL evaluated: ref(), var() and macros work as in a model."""
        return (
            make_renderer(self.loaded, self.vars, self._target_name)
            .render_expression(sql, "--inline")
            .sql
        )

    def _workshop(self, plan: Plan, reporter: Reporter, max_calls: int | None = None) -> Workshop:
        return Workshop(
            self.dir, self.target_dir, self.manifest, plan, self.store, self.calls, self.sources, self.udfs,
            self.new_engine, reporter, max_calls, self.serving,
        )  # fmt: skip

    @property
    def _refresh_file(self) -> Path:
        return self.target_dir / "cache" / "refreshes.json"

    def _refreshes(
        self, full_refresh: bool, select: str | Iterable[str], exclude: str | Iterable[str]
    ) -> dict[str, int]:
        """Node -> number of full refreshes, counting this one: a refresh is a new result beside the old one."""
        known: dict[str, int] = JsonCache(self._refresh_file).values
        if not full_refresh:
            return known
        return {**known, **{name: known.get(name, 0) + 1 for name in self.select(select, exclude)}}

    def _sweep(self) -> None:
        """Remove scratch that killed builds left behind."""
        with file_lock(self.target_dir / "locks" / "sweep.lock"):
            self.store.sweep()
            for folder in (self.target_dir / "tmp").glob("*"):
                if not folder.name.isdigit() or not _is_alive(int(folder.name)):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _words(criteria: str | Iterable[str]) -> Sequence[str]:
    return criteria.split() if isinstance(criteria, str) else list(criteria)
