"""The commands that run something: build, test, and testing again before a promotion."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError
from llm_i2i.graph.node import DataCheck, UnitCheck
from llm_i2i.plan.step import Plan
from llm_i2i.runner.base.definition import words_of
from llm_i2i.runner.build.events import BuildResult, CheckOutcome, Reporter, UnitOutcome
from llm_i2i.runner.build.planner import Planner
from llm_i2i.store.files import file_lock, replace_text
from llm_i2i.store.holds import Hold
from llm_i2i.store.sweep import sweep_killed

if TYPE_CHECKING:
    from llm_i2i.runner.build.context import BuildContext


class Builder:
    """Carries out plans of a project: holds what they use, runs them, writes what other tools read of them."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.compiler = planner.compiler
        self.definition = planner.definition

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
        from llm_i2i.runner.build.run import run_build

        select, asked_out = self.definition.criteria(select, exclude)
        left_out, exclude = self.planner.excluded_tests(select, asked_out)
        refreshes = self.planner.refreshes(full_refresh, select, exclude)
        plan = self.planner.plan_refreshed(select, exclude, refreshes)
        self.definition.write_state()
        if refreshes != self.planner.past_refreshes():
            replace_text(self.planner.refresh_file, json.dumps(refreshes))
        context = self.planner.context(plan, reporter or Reporter(), max_calls, store_failures)
        last = {s.node.name: context.store.last_seconds(s.node.name) for s in plan.to_build}
        context.reporter.expects({n: seconds for n, seconds in last.items() if seconds is not None})
        context.reporter.started(
            plan, {**self.definition.manifest.counts(), "UDF": len(self.definition.udfs.signatures)}
        )
        if plan.to_build:
            self._sweep()
        hold = self._hold(plan)
        success = False
        try:
            self._disown_damaged(plan, context)
            if any(s.action == "reuse" and not context.has_result(s.node.name) for s in plan.steps):
                return self.build(  # damaged, or removed by `gc` just before it was held
                    select, asked_out, full_refresh=full_refresh, fail_fast=fail_fast,
                    max_calls=max_calls, store_failures=store_failures, reporter=reporter,
                )  # fmt: skip
            self._run_hooks("on_run_start")
            with self.planner.workers() as workers:
                result = run_build(
                    replace(
                        context,
                        workers=workers,
                        unit_tests=self.planner.unit_test_context(),
                        left_out=frozenset(left_out),
                    ),
                    self.definition.environment,
                    fail_fast=fail_fast,
                )
            self._run_hooks("on_run_end")
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
            self.definition.compiled_cache.save()
            hold.release(published=success)
            shutil.rmtree(self.compiler.scratch(), ignore_errors=True)

    def _disown_damaged(self, plan: Plan, context: BuildContext) -> None:
        """Read whole what a build is going to read or to publish anew; what is damaged then counts as not built.

        A build that has nothing to do reads nothing.
        """
        published = {
            n: pointer.fingerprint for n, pointer in self.definition.environment.pointers().items()
        }
        reused = [step for step in plan.steps if step.action == "reuse"]
        moves = any(published.get(step.node.name) != step.fingerprint for step in reused)
        if not (moves or plan.to_build):
            return
        for name, digest in plan.fingerprints.items():
            if damaged := self.definition.store.damaged_files(name, digest):
                context.reporter.note(f"{name}: {damaged[0]} is damaged, the result is made again")
                self.definition.store.disown(name, digest)

    def _hold(self, plan: Plan) -> Hold:
        """Keep `gc` from what a build uses until an environment points to it."""
        nodes = {
            n: f
            for n, f in plan.fingerprints.items()
            if not self.definition.manifest.nodes[n].is_source
        }
        calls = {c.udf.lower() for s in plan.steps for c in s.compiled.steps if c.kind == "batch"}
        return self.definition.holds.hold(self.definition.environment.name, nodes, calls)

    def _sweep(self) -> None:
        """Remove scratch that killed builds left behind."""
        with file_lock(self.definition.target_dir / "locks" / "sweep.lock"):
            sweep_killed(self.definition.target_dir)

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
        chosen = self.planner.select_tests(select, exclude)
        reporter = reporter or Reporter()
        started = time.monotonic()
        result = BuildResult()
        try:
            units = [check for check in chosen if isinstance(check, UnitCheck)]
            if units:
                from llm_i2i.runner.build.unit_tests import run_unit_checks

                given = self.planner.unit_test_context()
                for unit in run_unit_checks(units, given, force=True):
                    reporter.unit_finished(unit)
                    result.units.append(unit)
            checks = [check for check in chosen if isinstance(check, DataCheck)]
            if checks:
                plan = self.planner.plan_refreshed((), (), self.planner.past_refreshes())
                context = self.planner.context(plan, reporter, store_failures=store_failures)
                for outcome in self._run_data_checks(checks, context):
                    reporter.check_finished(outcome)
                    result.checks.append(outcome)
                result.seconds = time.monotonic() - started
                asked = {"select": words_of(select), "exclude": words_of(exclude)}
                self._write_artifacts("test", plan, result, asked)
        finally:
            self.definition.compiled_cache.save()
            shutil.rmtree(self.compiler.scratch(), ignore_errors=True)
        return [*result.units, *result.checks]

    def _run_data_checks(
        self, checks: Sequence[DataCheck], context: BuildContext
    ) -> Iterator[CheckOutcome]:
        for check in checks:
            missing = [name for name in check.depends_on if not context.has_result(name)]
            if missing:
                raise ProjectError(
                    f"data test {check.name} needs {', '.join(missing)}",
                    where=check.where,
                    found="not built in its present state",
                    fix="run `llmi2i build` first",
                )
        from llm_i2i.runner.build.data_tests import run_checks

        yield from run_checks(checks, context, force=True)

    def recheck(self, plan: Plan, reporter: Reporter | None = None) -> list[CheckOutcome]:
        """All data tests on the results of a plan; one that passed on the same results is not run again."""
        from llm_i2i.runner.build.data_tests import run_checks

        context = self.planner.context(plan, reporter or Reporter())
        try:
            outcomes = []
            for outcome in run_checks(self.definition.manifest.checks, context):
                context.reporter.check_finished(outcome)
                outcomes.append(outcome)
            return outcomes
        finally:
            shutil.rmtree(self.compiler.scratch(), ignore_errors=True)

    def _run_hooks(self, name: str) -> None:
        """Run `on_run_start` or `on_run_end` on what the environment holds at that moment."""
        from llm_i2i.runner.build.hooks import run_project_hooks

        project = self.definition
        hooks: list[str] = getattr(project.loaded.config, name)
        if not hooks:
            return
        where = f"{project.loaded.file.name}: {name}"
        run_project_hooks(
            [project.render(hook, where, secrets=True) for hook in hooks],
            where,
            project.target_dir,
            project.environment,
            project.store,
            self.compiler.local_engine,
        )

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
            self.definition.loaded,
            self.definition.manifest,
            self.definition.renderer.macros,
            self.definition.environment.name,
            compiled,
            plan.fingerprints,
        )
        asked = {"target": self.definition.target_name, **asked}
        run = artifacts.run_results_json(
            which, result.nodes, result.checks, result.units, result.seconds, asked
        )
        stored = {
            name: meta
            for name, pointer in self.definition.environment.pointers().items()
            if name in self.definition.manifest.nodes
            and (meta := self.definition.store.meta(name, pointer.fingerprint))
        }
        write_artifact(self.definition.target_dir, MANIFEST, artifacts.manifest_json())
        write_artifact(self.definition.target_dir, RUN_RESULTS, run)
        write_artifact(self.definition.target_dir, CATALOG, artifacts.catalog_json(stored))
