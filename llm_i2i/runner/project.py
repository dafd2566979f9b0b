"""`Project`: the one object behind the command line and notebooks."""

from __future__ import annotations

import copy
import functools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.config.loader import load_project
from llm_i2i.config.project import merge_vars
from llm_i2i.errors import ProjectError
from llm_i2i.graph.compile import CompiledModel, compile_models
from llm_i2i.graph.load import load_manifest, make_renderer
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import DataCheck, Node, UnitCheck
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.events import BuildResult, CheckOutcome, Reporter, UnitOutcome
from llm_i2i.runner.selection import ProjectSelection, write_state
from llm_i2i.runner.sources import JsonCache, SourceFiles
from llm_i2i.store.calls import CallCache
from llm_i2i.store.environment import Environment
from llm_i2i.store.files import file_lock, replace_text
from llm_i2i.store.holds import Hold, Holds
from llm_i2i.store.store import Store
from llm_i2i.store.sweep import sweep_killed
from llm_i2i.udf.batch import CallCounts
from llm_i2i.udf.registry import UdfRegistry

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.engine.base import Columns, Engine
    from llm_i2i.graph.compile import Binder
    from llm_i2i.graph.lineage import ColumnGraph
    from llm_i2i.graph.select_tests import Check
    from llm_i2i.render.cache import RenderCache
    from llm_i2i.render.renderer import Renderer
    from llm_i2i.runner.diff import Difference
    from llm_i2i.runner.environments import Move
    from llm_i2i.runner.steps import Workshop
    from llm_i2i.runner.unit_tests import UnitBench
    from llm_i2i.store.gc import Collection
    from llm_i2i.udf.processes import Workers


LONGEST_NAME = 100  # characters of an environment's name
TAKEN_NAMES = ("memory", "system", "temp")


def jobs_of_environment() -> int:
    """What LLMI2I_JOBS says; 0 where it is not set.

    Raises:
        ProjectError: It is no number of processes.
    """
    text = os.environ.get("LLMI2I_JOBS", "")
    if text and not (text.isascii() and text.isdigit() and int(text)):
        raise ProjectError(
            "LLMI2I_JOBS is not a number of processes", found=repr(text), fix="LLMI2I_JOBS=2"
        )
    return int(text or 0)


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
        jobs: int | None = None,
        state: str | Path | None = None,
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
        self.jobs = jobs or jobs_of_environment() or self.target.jobs
        self.state_dir = Path(state) if state else None
        self.environment = self.other_environment(env)
        self.store = Store(self.target_dir)
        self.calls = CallCache(self.target_dir)
        self.holds = Holds(self.target_dir)
        self.sources = SourceFiles(project_dir, JsonCache(self.target_dir / "cache" / "files.json"))
        self._compiled = JsonCache(self.target_dir / "cache" / "compiled.json")

    @classmethod
    def load(cls, project_dir: str | Path = ".", **settings: Any) -> Project:
        """Read a project. Settings: vars, target, env, target_path, threads, jobs, state."""
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
        for cached in ("manifest", "selection"):
            other.__dict__.pop(cached, None)
        other.vars = merge_vars(self.loaded.config, vars)
        other.environment = Environment(self.target_dir, env)
        return other

    def other_environment(self, name: str) -> Environment:
        """An environment of this project's store, published or not.

        Raises:
            ProjectError: It is not a name.
        """
        if not name.replace("-", "_").isidentifier() or len(name) > LONGEST_NAME:
            raise ProjectError(
                f"environment {name[:LONGEST_NAME]!r} is not a name",
                found="it becomes a file and a catalogue of this name",
                fix=f"use letters, digits, _ and -, at most {LONGEST_NAME}",
            )
        if name.lower() in TAKEN_NAMES:
            raise ProjectError(
                f"environment {name!r} has the name of a catalogue that DuckDB has already",
                found=f"taken: {', '.join(TAKEN_NAMES)}",
                fix="give it another name",
            )
        return Environment(self.target_dir, name)

    def in_environment(self, name: str) -> Project:
        """The same project, reading and publishing another environment."""
        other = copy.copy(self)
        other.environment = self.other_environment(name)
        return other

    # -- compile -------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def manifest(self) -> Manifest:
        from llm_i2i.render.cache import RenderCache

        file = JsonCache(self.target_dir / "cache" / "rendered.json")
        cache = RenderCache(file.values)
        found = load_manifest(self.loaded, self._renderer(cache))
        cache.forget_oldest()
        file.save()
        return found

    def _renderer(self, cache: RenderCache | None = None) -> Renderer:
        return make_renderer(self.loaded, self.vars, self._target_name, cache)

    @functools.cached_property
    def udfs(self) -> UdfRegistry:
        return UdfRegistry.load(
            part.root / path for part in self.loaded.parts for path in part.config.udf_paths
        )

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
        """Names of the selected nodes in build order; without criteria those of the default selector, or all.

        Raises:
            ProjectError: A criterion cannot be read, or no node is selected.
        """
        keys = self.selection.select(*self.criteria(select, exclude))
        names = [key for key in keys if key in self.manifest.nodes]
        if not names:
            raise ProjectError(
                "nothing selected",
                found=f"only {', '.join(keys)}",
                fix=f"select what it reads: +{keys[0]}",
            )
        return names

    def criteria(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> tuple[list[str], list[str]]:
        """--select and --exclude as lists; the default selector where neither is given."""
        wanted, unwanted = list(_words(select)), list(_words(exclude))
        return (wanted if wanted or unwanted else self.selection.default), unwanted

    @functools.cached_property
    def selection(self) -> ProjectSelection:
        return ProjectSelection(
            self.loaded, self.manifest, self.target_dir, self.state_dir, self._udf_versions
        )

    def _udf_versions(self) -> dict[str, str]:
        return {name: signature.version for name, signature in self.udfs.signatures.items()}

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
        if self.target.type == "spark":
            self._carried(compiled, columns)  # what cannot run there is found before anything runs
        self._compiled.save()
        return compiled

    def _carried(
        self, compiled: Mapping[str, CompiledModel], source_columns: Mapping[str, Columns]
    ) -> dict[str, CompiledModel]:
        from llm_i2i.graph.carry import carry_models

        return carry_models(
            self.manifest, compiled, source_columns, self._binder, self._compiled.values
        )

    def compiled_text(self, names: Iterable[str]) -> dict[str, str]:
        """The SQL of models as the target's engine gets it, all statements in the order they run."""
        compiled = self.compile(names)
        if self.target.type == "spark":
            read = {parent for name in compiled for parent in self.manifest.nodes[name].reads}
            sources = [self.manifest.nodes[name] for name in read - set(compiled)]
            compiled = self._carried(
                compiled, {node.name: self._source_columns(node) for node in sources}
            )
        return {name: compiled[name].text() for name in names}

    def lineage(self) -> ColumnGraph:
        """Which column is made from which, over all models; nothing is run."""
        from llm_i2i.graph.lineage import build_column_graph

        compiled = self.compile()
        read = {parent for name in compiled for parent in self.manifest.nodes[name].reads}
        sources = {
            name: self._source_columns(self.manifest.nodes[name]) for name in read - set(compiled)
        }
        cache = JsonCache(self.target_dir / "cache" / "lineage.json")
        graph = build_column_graph(self.manifest, compiled, sources, cache.values)
        cache.save()
        return graph

    def compiled_path(self, node: Node) -> Path:
        """Where the compiled SQL of a model is written; a package's below its name."""
        folder = self.target_dir / "compiled"
        if node.package == self.loaded.config.name:
            return folder / node.path
        return folder.joinpath(*node.fqn[:-1], f"{node.name}.sql")

    def write_state(self) -> None:
        """Note in the target folder what the project is, for `--state` of a later command."""
        write_state(self.target_dir, self.manifest, self._udf_versions())

    def plan(
        self,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
    ) -> Plan:
        """What `build` would do, as data. Nothing is run; with `full_refresh` the selected nodes count as stale."""
        select, exclude = self.criteria(select, exclude)
        _, exclude = self._excluded_tests(select, exclude)
        return self._plan(select, exclude, self._refreshes(full_refresh, select, exclude))

    def _plan(
        self,
        select: str | Iterable[str],
        exclude: str | Iterable[str],
        refreshes: Mapping[str, int],
    ) -> Plan:
        selected = self.select(list(_words(select)) or ["*"], exclude)
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
        from llm_i2i.plan.build import build_plan

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
        engine = self.local_engine()
        try:
            columns = self.sources.columns(node, engine)
        finally:
            engine.close()
        self._compiled.values[key] = columns
        return columns

    def _binder(self) -> Binder:
        return self.local_engine()

    def local_engine(self) -> Engine:
        """A fresh DuckDB in this process: binds and describes SQL, whatever engine the target has."""
        from llm_i2i.engine.duckdb import DuckDBEngine

        spill = (
            self.dir / self.target.temp_directory if self.target.temp_directory else self._scratch()
        )
        return DuckDBEngine(
            threads=self.threads, memory_limit=self.target.memory_limit, spill_dir=spill
        )

    def new_engine(self) -> Engine:
        """A fresh session of the target's engine."""
        if self.target.type == "duckdb":
            return self.local_engine()
        from llm_i2i.engine.spark import SparkEngine
        from llm_i2i.sql.portable.translate import translate

        return SparkEngine(
            self.target.url,
            translate=translate,
            local=self.local_engine(),
            scratch=self._scratch().resolve() / "spark",
            conf=self.target.conf,
            driver_rows=self.target.driver_rows,
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
        store_failures: bool = False,
        reporter: Reporter | None = None,
    ) -> BuildResult:
        """Build what is stale, test it, publish it.

        Raises:
            ProjectError: The project cannot be compiled; nothing was run.
        """
        from llm_i2i.runner.hooks import run_project_hooks
        from llm_i2i.runner.run import run_build

        select, asked_out = self.criteria(select, exclude)
        left_out, exclude = self._excluded_tests(select, asked_out)
        refreshes = self._refreshes(full_refresh, select, exclude)
        plan = self._plan(select, exclude, refreshes)
        self.write_state()
        if full_refresh:
            replace_text(self._refresh_file, json.dumps(refreshes))
        shop = self._workshop(plan, reporter or Reporter(), max_calls, store_failures)
        shop.reporter.started(plan, {**self.manifest.counts(), "UDF": len(self.udfs.signatures)})
        if plan.to_build:
            self._sweep()
        hold = self._hold(plan)
        success = False
        try:
            self._disown_damaged(plan, shop)
            if any(s.action == "reuse" and not shop.has_result(s.node.name) for s in plan.steps):
                return self.build(  # damaged, or removed by `gc` just before it was held
                    select, asked_out, full_refresh=full_refresh, fail_fast=fail_fast,
                    max_calls=max_calls, store_failures=store_failures, reporter=reporter,
                )  # fmt: skip
            run_project_hooks(self, "on_run_start")
            with self._workers() as workers:
                result = run_build(
                    replace(shop, workers=workers),
                    self.environment,
                    run_units=self._run_units_of(left_out),
                    checks={check for check in self.manifest.checks if check.name not in left_out},
                    fail_fast=fail_fast,
                )
            run_project_hooks(self, "on_run_end")
            success = result.success
            asked = {"select": _words(select), "exclude": _words(exclude)}
            self._write_artifacts(
                "build",
                plan,
                result,
                {**asked, "full_refresh": full_refresh, "fail_fast": fail_fast},
            )
            return result
        finally:
            self._compiled.save()
            hold.release(published=success)
            shutil.rmtree(self._scratch(), ignore_errors=True)

    def _disown_damaged(self, plan: Plan, shop: Workshop) -> None:
        """Read whole what a build is going to read or to publish anew; what is damaged then counts as not built.

        A build that has nothing to do reads nothing.
        """
        published = {n: pointer.fingerprint for n, pointer in self.environment.pointers().items()}
        reused = [step for step in plan.steps if step.action == "reuse"]
        moves = any(published.get(step.node.name) != step.fingerprint for step in reused)
        if not (moves or plan.to_build):
            return
        for name, digest in plan.fingerprints.items():
            if damaged := self.store.damaged_files(name, digest):
                shop.reporter.note(f"{name}: {damaged[0]} is damaged, the result is made again")
                self.store.disown(name, digest)

    def _hold(self, plan: Plan) -> Hold:
        """Keep `gc` from what a build uses until an environment points to it."""
        nodes = {n: f for n, f in plan.fingerprints.items() if not self.manifest.nodes[n].is_source}
        calls = {c.udf.lower() for s in plan.steps for c in s.compiled.steps if c.kind == "batch"}
        return self.holds.hold(self.environment.name, nodes, calls)

    def test(
        self,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        reporter: Reporter | None = None,
        *,
        store_failures: bool = False,
    ) -> list[CheckOutcome | UnitOutcome]:
        """Run the unit tests of the selected models, and their data tests on what is built now.

        `select` takes what selects models, names of tests, and dbt's test_type:, test_name: and unit_test:.
        """
        chosen = self.select_tests(select, exclude)
        reporter = reporter or Reporter()
        started = time.monotonic()
        result = BuildResult()
        try:
            units = [check for check in chosen if isinstance(check, UnitCheck)]
            for unit in self._run_units(units, self._unit_bench):
                reporter.unit_finished(unit)
                result.units.append(unit)
            checks = [check for check in chosen if isinstance(check, DataCheck)]
            if checks:
                plan = self._plan((), (), self._refreshes(False, (), ()))
                shop = self._workshop(plan, reporter, store_failures=store_failures)
                for outcome in self._run_data_checks(checks, shop):
                    reporter.check_finished(outcome)
                    result.checks.append(outcome)
                result.seconds = time.monotonic() - started
                asked = {"select": _words(select), "exclude": _words(exclude)}
                self._write_artifacts("test", plan, result, asked)
        finally:
            self._compiled.save()
            shutil.rmtree(self._scratch(), ignore_errors=True)
        return [*result.units, *result.checks]

    def select_tests(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> list[Check]:
        """The selected unit tests and data tests, all of them by default.

        Raises:
            ProjectError: There is none.
        """
        from llm_i2i.graph.select_tests import select_tests

        return select_tests(self.manifest.tests, _words(select), _words(exclude), self.select)

    def _run_data_checks(
        self, checks: Sequence[DataCheck], shop: Workshop
    ) -> Iterator[CheckOutcome]:
        for check in checks:
            missing = [name for name in check.depends_on if not shop.has_result(name)]
            if missing:
                raise ProjectError(
                    f"data test {check.name} needs {', '.join(missing)}",
                    where=check.where,
                    found="not built in its present state",
                    fix="run `llmi2i build` first",
                )
        from llm_i2i.runner.steps import run_checks

        yield from run_checks(checks, shop, force=True)

    def _run_units(
        self,
        checks: Sequence[UnitCheck],
        bench: Callable[[], UnitBench],
        *,
        force: bool = True,
    ) -> Iterator[UnitOutcome]:
        if not checks:
            return
        from llm_i2i.runner.unit_tests import run_unit_checks

        yield from run_unit_checks(checks, bench(), force=force)

    def _run_units_of(self, left_out: set[str]) -> Callable[[str], Iterator[UnitOutcome]]:
        """What runs the unit tests of a model in a build; those that passed before are not run again."""
        bench = functools.cache(self._unit_bench)

        def run(model: str) -> Iterator[UnitOutcome]:
            checks = self.manifest.unit_checks_of(model)
            wanted = [check for check in checks if check.name not in left_out]
            return self._run_units(wanted, bench, force=False)

        return run

    def _unit_bench(self) -> UnitBench:
        from llm_i2i.runner.unit_tests import UnitBench

        return UnitBench(
            root=self.dir,
            target_dir=self.target_dir,
            manifest=self.manifest,
            renderer=self._renderer(),
            udfs=self.udfs,
            columns_of=self._columns_of,
            new_engine=self.local_engine,
            make_binder=self._binder,
            compiled=self._compiled.values,
        )

    def _columns_of(self, names: Iterable[str]) -> dict[str, Columns]:
        """The columns of nodes, sources among them."""
        nodes = [self.manifest.nodes[name] for name in names]
        models = [node.name for node in nodes if not node.is_source]
        compiled = self.compile(models) if models else {}
        return {
            node.name: self._source_columns(node) if node.is_source else compiled[node.name].columns
            for node in nodes
        }

    def _excluded_tests(
        self, select: str | Iterable[str], exclude: str | Iterable[str]
    ) -> tuple[set[str], list[str]]:
        """Names of the tests that --exclude leaves out of a build, and the criteria for nodes.

        A test is named by criteria like test_type:unit, or by its own name where no node has it.

        Raises:
            ProjectError: `select` speaks of tests.
        """
        from llm_i2i.graph.select_tests import is_test_criterion, select_tests

        for word in (word for text in _words(select) for word in text.split()):
            if is_test_criterion(word):
                raise ProjectError(
                    "a build selects models, not tests",
                    found=f"--select {word}",
                    fix=f"llmi2i test -s {word}",
                )
        words = [word for text in _words(exclude) for word in text.split()]
        own = {check.name for check in self.manifest.tests} - self.selection.resources.by_key.keys()
        of_tests = [word for word in words if is_test_criterion(word) or word in own]
        if not of_tests:
            return set(), words
        chosen = select_tests(self.manifest.tests, of_tests, (), self.select)
        return {check.name for check in chosen}, [w for w in words if w not in of_tests]

    def recheck(self, plan: Plan, reporter: Reporter | None = None) -> list[CheckOutcome]:
        """All data tests on the results of a plan; one that passed on the same results is not run again."""
        from llm_i2i.runner.steps import run_checks

        shop = self._workshop(plan, reporter or Reporter())
        try:
            outcomes = []
            for outcome in run_checks(self.manifest.checks, shop):
                shop.reporter.check_finished(outcome)
                outcomes.append(outcome)
            return outcomes
        finally:
            shutil.rmtree(self._scratch(), ignore_errors=True)

    # -- environments --------------------------------------------------------------------------------------------------

    def promote(
        self, source: str, target: str, *, force: bool = False, dry_run: bool = False
    ) -> Move:
        """Point environment `target` to what `source` points to; see `runner.environments.promote`."""
        from llm_i2i.runner.environments import promote

        return promote(self, source, target, force=force, dry_run=dry_run)

    def rollback(self, env: str, to: str | int | None = None, *, dry_run: bool = False) -> Move:
        """Point an environment back to an earlier state; see `runner.environments.rollback`."""
        from llm_i2i.runner.environments import rollback

        return rollback(self, env, to, dry_run=dry_run)

    def diff(self, here: str, there: str, **options: Any) -> Difference:
        """How the tables of two environments differ; see `runner.diff.diff` for the options."""
        from llm_i2i.runner.diff import diff

        return diff(self, here, there, **options)

    def export(
        self, table: str, file: str | Path, *, env: str | None = None, force: bool = False
    ) -> int:
        """Write a table of an environment to Parquet, CSV, JSON or DuckDB, by the file's suffix; returns the number of rows."""
        from llm_i2i.runner.export import export_table

        project = self if env is None else self.in_environment(env)
        return export_table(project, table, Path(file), force=force)

    def gc(self, *, dry_run: bool = True, **scope: Any) -> Collection:
        """Find, and unless `dry_run` remove, results that no environment points to; `scope` as in `store.gc.Scope`."""
        from llm_i2i.store.gc import Scope, collect

        return collect(self.target_dir, Scope(**scope), dry_run=dry_run)

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
        run = artifacts.run_results_json(
            which, result.nodes, result.checks, result.units, result.seconds, asked
        )
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
        from llm_i2i.runner.steps import plan_calls

        return plan_calls(step, self._workshop(plan, Reporter()))

    def query(self, sql: str) -> duckdb.DuckDBPyRelation:
        """Run one read-only query on the published environment; ref(), var() and macros work in it."""
        from llm_i2i.runner.query import open_catalogue, run_query

        if "{{" in sql or "{%" in sql:
            sql = self.render(sql)
        connection = open_catalogue(self.environment, self.store)
        return run_query(connection, sql, list(self.environment.pointers()))

    def rows(self, sql: str, limit: int = -1) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of a query, at most `limit` of them (-1: all).

        Raises:
            ProjectError: The query is wrong, or fails while it runs.
        """
        from llm_i2i.runner.query import fetch_rows

        return fetch_rows(self.query(sql), limit)

    def render(self, sql: str, where: str = "--inline", *, secrets: bool = False) -> str:
        """Jinja of a piece of SQL evaluated: ref(), var() and macros work as in a model.

        Args:
            where: Where it is written, for messages.
            secrets: Whether env_var() may read secret variables.
        """
        return self._renderer().render_expression(sql, where, secrets=secrets).sql

    def _workshop(
        self,
        plan: Plan,
        reporter: Reporter,
        max_calls: int | None = None,
        store_failures: bool = False,
    ) -> Workshop:
        from llm_i2i.runner.steps import Workshop

        return Workshop(
            self.dir, self.target_dir, self.manifest, plan, self.store, self.calls, self.sources, self.udfs,
            self.new_engine, reporter, max_calls, self.serving, store_failures, *self._local_bench(),
        )  # fmt: skip

    @contextmanager
    def _workers(self) -> Iterator[Workers | None]:
        """The processes that run table UDFs; None where this one does."""
        from llm_i2i.udf.processes import Workers

        if self.jobs == 1:
            yield None
            return
        with closing(Workers(self.jobs)) as workers:
            yield workers

    def _local_bench(self) -> tuple[Callable[[], Engine] | None, int]:
        return (
            (self.local_engine, self.target.local_bytes)
            if self.target.type == "spark"
            else (None, 0)
        )

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
            sweep_killed(self.target_dir)


def _words(criteria: str | Iterable[str]) -> Sequence[str]:
    return criteria.split() if isinstance(criteria, str) else list(criteria)
