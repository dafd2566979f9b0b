"""`Project`: the one object behind the command line and notebooks."""

from __future__ import annotations

import functools
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError
from llm_i2i.graph.node import DataCheck, UnitCheck
from llm_i2i.plan.step import Plan
from llm_i2i.runner.base.definition import words_of
from llm_i2i.runner.build.events import BuildResult, CheckOutcome, Reporter, UnitOutcome
from llm_i2i.runner.build.planner import ProjectPlanner
from llm_i2i.store.files import file_lock, replace_text
from llm_i2i.store.holds import Hold
from llm_i2i.store.sweep import sweep_killed

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.runner.environments.diff import Difference
    from llm_i2i.runner.environments.move import Move
    from llm_i2i.runner.build.steps import Workshop
    from llm_i2i.runner.build.unit_tests import UnitBench
    from llm_i2i.store.gc import Collection


class Project(ProjectPlanner):
    """A project on disk, with the vars and target of one invocation: what runs, and what is published.

    Its layers, each of which knows those before it only: `runner.base.definition`, `runner.base.compiler`, `runner.build.planner`, this.
    `llm_i2i.Project` (llm_i2i/api.py) is this with results for notebooks, and experiments.
    """

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
        from llm_i2i.runner.build.hooks import run_project_hooks
        from llm_i2i.runner.build.run import run_build

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
            asked = {"select": words_of(select), "exclude": words_of(exclude)}
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

    def _sweep(self) -> None:
        """Remove scratch that killed builds left behind."""
        with file_lock(self.target_dir / "locks" / "sweep.lock"):
            sweep_killed(self.target_dir)

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
                asked = {"select": words_of(select), "exclude": words_of(exclude)}
                self._write_artifacts("test", plan, result, asked)
        finally:
            self._compiled.save()
            shutil.rmtree(self._scratch(), ignore_errors=True)
        return [*result.units, *result.checks]

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
        from llm_i2i.runner.build.steps import run_checks

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
        from llm_i2i.runner.build.unit_tests import run_unit_checks

        yield from run_unit_checks(checks, bench(), force=force)

    def _run_units_of(self, left_out: set[str]) -> Callable[[str], Iterator[UnitOutcome]]:
        """What runs the unit tests of a model in a build; those that passed before are not run again."""
        bench = functools.cache(self._unit_bench)

        def run(model: str) -> Iterator[UnitOutcome]:
            checks = self.manifest.unit_checks_of(model)
            wanted = [check for check in checks if check.name not in left_out]
            return self._run_units(wanted, bench, force=False)

        return run

    def recheck(self, plan: Plan, reporter: Reporter | None = None) -> list[CheckOutcome]:
        """All data tests on the results of a plan; one that passed on the same results is not run again."""
        from llm_i2i.runner.build.steps import run_checks

        shop = self._workshop(plan, reporter or Reporter())
        try:
            outcomes = []
            for outcome in run_checks(self.manifest.checks, shop):
                shop.reporter.check_finished(outcome)
                outcomes.append(outcome)
            return outcomes
        finally:
            shutil.rmtree(self._scratch(), ignore_errors=True)

    def _write_artifacts(
        self, which: str, plan: Plan, result: BuildResult, asked: Mapping[str, Any]
    ) -> None:
        """Write what dbt's tools read after a run: `manifest.json`, `run_results.json` and `catalog.json`."""
        from llm_i2i.runner.artifacts.dbt import (
            CATALOG,
            MANIFEST,
            RUN_RESULTS,
            Artifacts,
            write_artifact,
        )

        steps = [*plan.steps, *plan.ephemeral.values()]
        compiled = {step.node.name: step.compiled for step in steps}
        artifacts = Artifacts(
            self.loaded,
            self.manifest,
            self.renderer.macros,
            self.environment.name,
            compiled,
            plan.fingerprints,
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

    def promote(
        self, source: str, target: str, *, force: bool = False, dry_run: bool = False
    ) -> Move:
        """Point environment `target` to what `source` points to; see `runner.environments.move.promote`."""
        from llm_i2i.runner.environments.move import promote

        return promote(self, source, target, force=force, dry_run=dry_run)

    def rollback(self, env: str, to: str | int | None = None, *, dry_run: bool = False) -> Move:
        """Point an environment back to an earlier state; see `runner.environments.move.rollback`."""
        from llm_i2i.runner.environments.move import rollback

        return rollback(self, env, to, dry_run=dry_run)

    def diff(self, here: str, there: str, **options: Any) -> Difference:
        """How the tables of two environments differ; see `runner.environments.diff.diff` for the options."""
        from llm_i2i.runner.environments.diff import diff

        return diff(self, here, there, **options)

    def export(
        self, table: str, file: str | Path, *, env: str | None = None, force: bool = False
    ) -> int:
        """Write a table of an environment to Parquet, CSV, JSON or DuckDB, by the file's suffix; returns the number of rows."""
        from llm_i2i.runner.environments.export import export_table

        project = self if env is None else self.in_environment(env)
        return export_table(project, table, Path(file), force=force)

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
