"""`Project`: the one object behind the command line and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llm_i2i.runner.base.compiler import Compiler
from llm_i2i.runner.base.definition import ProjectDefinition
from llm_i2i.runner.build.builder import Builder
from llm_i2i.runner.build.planner import Planner

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.config.loader import LoadedProject
    from llm_i2i.config.targets import Target
    from llm_i2i.engine.base import Engine
    from llm_i2i.graph.compile import CompiledModel
    from llm_i2i.graph.lineage import ColumnGraph
    from llm_i2i.graph.manifest import Manifest
    from llm_i2i.graph.node import Node
    from llm_i2i.graph.select_tests import Check
    from llm_i2i.plan.step import Plan, PlanStep
    from llm_i2i.render.renderer import Renderer
    from llm_i2i.runner.base.selection import ProjectSelection
    from llm_i2i.runner.base.sources import SourceFiles
    from llm_i2i.runner.build.events import BuildResult, CheckOutcome, Reporter, UnitOutcome
    from llm_i2i.runner.environments.diff import Difference
    from llm_i2i.runner.environments.move import Move, Storage
    from llm_i2i.runner.remote.publish import Published
    from llm_i2i.store.calls import CallCache
    from llm_i2i.store.environment import Environment, Pointer
    from llm_i2i.store.gc import Collection
    from llm_i2i.store.holds import Holds
    from llm_i2i.store.store import Store
    from llm_i2i.udf.batch import CallCounts
    from llm_i2i.udf.registry import UdfRegistry


class Project:
    """A project on disk, with the vars and target of one invocation: what runs, and what is published.

    A facade: its parts do the work, and each knows those before it only. `llm_i2i.Project` (llm_i2i/api.py) is this with results
    for notebooks, and experiments.

    Attributes:
        definition: What the project says.
        compiler: SQL for its models.
        planner: What a build would do.
        builder: What runs something.
    """

    def __init__(self, definition: ProjectDefinition) -> None:
        self.definition = definition
        self.compiler = Compiler(definition)
        self.planner = Planner(self.compiler)
        self.builder = Builder(self.planner)

    @classmethod
    def load(cls, project_dir: str | Path = ".", **settings: Any) -> Self:
        """Read a project. Settings: vars, target, env, target_path, threads, jobs, state."""
        return cls(ProjectDefinition(Path(project_dir), **settings))

    def variant(self, vars: Mapping[str, Any], env: str) -> Self:
        """The same project with other vars, publishing another environment; see `ProjectDefinition.variant`."""
        return type(self)(self.definition.variant(vars, env))

    def in_environment(self, name: str) -> Self:
        """The same project, reading and publishing another environment."""
        return type(self)(self.definition.in_environment(name))

    def other_environment(self, name: str) -> Environment:
        """An environment of this project's store, published or not."""
        return self.definition.other_environment(name)

    # -- what it says ------------------------------------------------------------------------------

    @property
    def dir(self) -> Path:
        """The folder of the project."""
        return self.definition.dir

    @property
    def loaded(self) -> LoadedProject:
        """The files of the project, read."""
        return self.definition.loaded

    @property
    def vars(self) -> Mapping[str, Any]:
        """The vars of this invocation, defaults among them."""
        return self.definition.vars

    @property
    def target(self) -> Target:
        """Settings of the target."""
        return self.definition.target

    @property
    def target_name(self) -> str:
        """The target of project.yml that this runs on."""
        return self.definition.target_name

    @property
    def target_dir(self) -> Path:
        """The folder for results."""
        return self.definition.target_dir

    @property
    def threads(self) -> int | None:
        """Threads of an engine; None: its own number."""
        return self.definition.threads

    @property
    def jobs(self) -> int:
        """Processes that run table UDFs."""
        return self.definition.jobs

    @property
    def environment(self) -> Environment:
        """What is read and published."""
        return self.definition.environment

    @property
    def store(self) -> Store:
        """Results."""
        return self.definition.store

    @property
    def calls(self) -> CallCache:
        """Finished calls of UDFs."""
        return self.definition.calls

    @property
    def holds(self) -> Holds:
        """What builds keep from `gc`."""
        return self.definition.holds

    @property
    def sources(self) -> SourceFiles:
        """The files of sources and seeds."""
        return self.definition.sources

    @property
    def manifest(self) -> Manifest:
        """The graph."""
        return self.definition.manifest

    @property
    def renderer(self) -> Renderer:
        """All macros and prompts of the project."""
        return self.definition.renderer

    @property
    def udfs(self) -> UdfRegistry:
        """The UDFs of the project; its Python files are loaded when asked for."""
        return self.definition.udfs

    @property
    def serving(self) -> Mapping[str, Any]:
        """How the checkpoints of each language model are run: not part of any fingerprint."""
        return self.definition.serving

    @property
    def selection(self) -> ProjectSelection:
        """What criteria select from."""
        return self.definition.selection

    def render(self, sql: str, where: str = "--inline", *, secrets: bool = False) -> str:
        """Jinja of a piece of SQL evaluated: ref(), var() and macros work as in a model."""
        return self.definition.render(sql, where, secrets=secrets)

    def criteria(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> tuple[list[str], list[str]]:
        """--select and --exclude as lists; the default selector where neither is given."""
        return self.definition.criteria(select, exclude)

    def select(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> list[str]:
        """Names of the selected nodes in build order; see `ProjectDefinition.select`."""
        return self.definition.select(select, exclude)

    def write_state(self) -> None:
        """Note in the target folder what the project is, for `--state` of a later command."""
        self.definition.write_state()

    # -- what it compiles to -----------------------------------------------------------------------

    def compile(self, names: Iterable[str] | None = None) -> dict[str, CompiledModel]:
        """Compile models and their ancestors (all models by default)."""
        return self.compiler.compile(names)

    def compiled_text(self, names: Iterable[str]) -> dict[str, str]:
        """The SQL of models as the target's engine gets it, all statements in the order they run."""
        return self.compiler.compiled_text(names)

    def compile_inline(self, sql: str) -> CompiledModel:
        """A query that is no model of the project, compiled as one would be; see `Compiler.compile_inline`."""
        return self.compiler.compile_inline(sql)

    def compiled_path(self, node: Node) -> Path:
        """Where the compiled SQL of a model is written; a package's below its name."""
        return self.compiler.compiled_path(node)

    def lineage(self) -> ColumnGraph:
        """Which column is made from which, over all models; nothing is run."""
        return self.compiler.lineage()

    def write_manifest(self, compiled: Mapping[str, CompiledModel]) -> None:
        """Write `manifest.json` of dbt's shape into the target folder."""
        from llm_i2i.runner.artifacts.dbt import MANIFEST, Artifacts, write_artifact

        artifacts = Artifacts(
            self.loaded, self.manifest, self.renderer.macros, self.environment.name, compiled
        )
        write_artifact(self.target_dir, MANIFEST, artifacts.manifest_json())

    def local_engine(self) -> Engine:
        """A fresh DuckDB in this process: binds and describes SQL, whatever engine the target has."""
        return self.compiler.local_engine()

    def new_engine(self) -> Engine:
        """A fresh session of the target's engine."""
        return self.compiler.new_engine()

    # -- what runs ---------------------------------------------------------------------------------

    def plan(
        self,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
    ) -> Plan:
        """What `build` would do, as data. Nothing is run; with `full_refresh` the selected nodes count as stale."""
        return self.planner.plan(select, exclude, full_refresh)

    def select_tests(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> list[Check]:
        """The selected unit tests and data tests, all of them by default; see `Planner.select_tests`."""
        return self.planner.select_tests(select, exclude)

    def calls_of(self, plan: Plan, step: PlanStep) -> CallCounts | None:
        """UDF calls of a step: distinct, cached, tokens and time of the rest; None if that cannot be known yet."""
        return self.planner.calls_of(plan, step)

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
        return self.builder.build(
            select, exclude, full_refresh=full_refresh, fail_fast=fail_fast,
            max_calls=max_calls, store_failures=store_failures, reporter=reporter,
        )  # fmt: skip

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
        return self.builder.test(select, exclude, reporter, store_failures=store_failures)

    def recheck(self, plan: Plan, reporter: Reporter | None = None) -> list[CheckOutcome]:
        """All data tests on the results of a plan; one that passed on the same results is not run again."""
        return self.builder.recheck(plan, reporter)

    # -- what is published -------------------------------------------------------------------------

    def promote(
        self,
        source: str,
        target: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        reporter: Reporter | None = None,
    ) -> Move:
        """Point environment `target` to what `source` points to; see `runner.environments.move.promote`.

        Args:
            force: Let through what is stale, incomplete, or fails its data tests.
        """
        from llm_i2i.runner.environments.move import audit_environment, promote

        def audit(name: str, nodes: Mapping[str, Pointer]) -> int:
            here = self.in_environment(name)
            plan, known = here.plan(), self.manifest.nodes
            return audit_environment(
                name, nodes, plan, known, self.store, lambda plan: here.recheck(plan, reporter)
            )

        return promote(
            self._storage(), source, target, audit=None if force else audit, dry_run=dry_run
        )

    def rollback(self, env: str, to: str | int | None = None, *, dry_run: bool = False) -> Move:
        """Point an environment back to an earlier state; see `runner.environments.move.rollback`."""
        from llm_i2i.runner.environments.move import rollback

        return rollback(self._storage(), env, to, dry_run=dry_run)

    def _storage(self) -> Storage:
        from llm_i2i.runner.environments.move import Storage

        return Storage(self.target_dir, self.store, self.holds)

    def diff(
        self,
        here: str,
        there: str,
        *,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        **options: Any,
    ) -> Difference:
        """How the tables of two environments differ; see `runner.environments.diff.diff` for the options."""
        from llm_i2i.runner.environments.diff import Sides, diff

        sides = Sides(
            self.target_dir, self.store, self._grain_of, self.threads, self.target.memory_limit
        )
        chosen = (lambda: self.select(select, exclude)) if select or exclude else None
        return diff(sides, here, there, select=chosen, **options)

    def _grain_of(self, name: str) -> list[str]:
        node = self.manifest.nodes.get(name)
        return [str(column) for column in (node.config.get("grain") or [])] if node else []

    def export(
        self, table: str, file: str | Path, *, env: str | None = None, force: bool = False
    ) -> int:
        """Write a table of an environment to Parquet, CSV, JSON or DuckDB, by the file's suffix; returns the number of rows."""
        from llm_i2i.runner.environments.export import export_table

        environment = self.environment if env is None else self.other_environment(env)
        return export_table(
            environment, self.store, self.target_dir, table, Path(file), force=force
        )

    def publish(self, table: str, place: str) -> Published:
        """Write a table of the environment where it is served; see `runner.environments.publish`."""
        from llm_i2i.runner.environments.publish import publish_table

        return publish_table(self.environment, self.store, table, place, self.definition.database)

    def export_to_store(self, table: str, address: str) -> Published:
        """Write a table of the environment to an object store, as Parquet with a manifest and a pointer."""
        from llm_i2i.runner.environments.publish import export_to_store

        return export_to_store(self.environment, self.store, table, address)

    def gc(self, *, dry_run: bool = True, **scope: Any) -> Collection:
        """Find, and unless `dry_run` remove, results that no environment points to; `scope` as in `store.gc.Scope`."""
        from llm_i2i.store.gc import Scope, collect

        return collect(self.target_dir, Scope(**scope), dry_run=dry_run)

    def query(self, sql: str) -> duckdb.DuckDBPyRelation:
        """Run one read-only query on the published environment; ref(), var() and macros work in it."""
        from llm_i2i.runner.environments.query import open_catalogue, run_query

        if "{{" in sql or "{%" in sql:
            sql = self.render(sql)
        connection = open_catalogue(self.environment, self.store)
        return run_query(connection, sql, list(self.environment.pointers()))

    def rows(self, sql: str, limit: int = -1) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of a query, at most `limit` of them (-1: all).

        Raises:
            ProjectError: The query is wrong, or fails while it runs.
        """
        from llm_i2i.runner.environments.query import fetch_rows

        return fetch_rows(self.query(sql), limit)
