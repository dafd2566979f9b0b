"""What a build would do: which nodes and tests are selected, what is stale, what its calls cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import ProjectError
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.base.compiler import ProjectCompiler
from llm_i2i.runner.base.definition import words_of
from llm_i2i.runner.build.events import Reporter
from llm_i2i.runner.base.sources import JsonCache
from llm_i2i.udf.batch import CallCounts

if TYPE_CHECKING:
    from llm_i2i.engine.base import Engine
    from llm_i2i.graph.select_tests import Check
    from llm_i2i.runner.build.steps import Workshop
    from llm_i2i.runner.build.unit_tests import UnitBench
    from llm_i2i.udf.processes import Workers


class ProjectPlanner(ProjectCompiler):
    """The third of the layers of `Project`: plans, and the workshop in which their steps are carried out."""

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
        selected = self.select(list(words_of(select)) or ["*"], exclude)
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

    def _excluded_tests(
        self, select: str | Iterable[str], exclude: str | Iterable[str]
    ) -> tuple[set[str], list[str]]:
        """Names of the tests that --exclude leaves out of a build, and the criteria for nodes.

        A test is named by criteria like test_type:unit, or by its own name where no node has it.

        Raises:
            ProjectError: `select` speaks of tests.
        """
        from llm_i2i.graph.select_tests import is_test_criterion, select_tests

        for word in (word for text in words_of(select) for word in text.split()):
            if is_test_criterion(word):
                raise ProjectError(
                    "a build selects models, not tests",
                    found=f"--select {word}",
                    fix=f"llmi2i test -s {word}",
                )
        words = [word for text in words_of(exclude) for word in text.split()]
        own = {check.name for check in self.manifest.tests} - self.selection.resources.by_key.keys()
        of_tests = [word for word in words if is_test_criterion(word) or word in own]
        if not of_tests:
            return set(), words
        chosen = select_tests(self.manifest.tests, of_tests, (), self.select)
        return {check.name for check in chosen}, [w for w in words if w not in of_tests]

    def select_tests(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> list[Check]:
        """The selected unit tests and data tests, all of them by default.

        Raises:
            ProjectError: There is none.
        """
        from llm_i2i.graph.select_tests import select_tests

        return select_tests(self.manifest.tests, words_of(select), words_of(exclude), self.select)

    def _refreshes(
        self, full_refresh: bool, select: str | Iterable[str], exclude: str | Iterable[str]
    ) -> dict[str, int]:
        """Node -> number of full refreshes, counting this one: a refresh is a new result beside the old one."""
        known: dict[str, int] = JsonCache(self._refresh_file).values
        if not full_refresh:
            return known
        return {**known, **{name: known.get(name, 0) + 1 for name in self.select(select, exclude)}}

    @property
    def _refresh_file(self) -> Path:
        return self.target_dir / "cache" / "refreshes.json"

    def calls_of(self, plan: Plan, step: PlanStep) -> CallCounts | None:
        """UDF calls of a step: distinct, cached, tokens and time of the rest; None if that cannot be known yet."""
        from llm_i2i.runner.build.steps import plan_calls

        return plan_calls(step, self._workshop(plan, Reporter()))

    def _workshop(
        self,
        plan: Plan,
        reporter: Reporter,
        max_calls: int | None = None,
        store_failures: bool = False,
    ) -> Workshop:
        from llm_i2i.runner.build.steps import Workshop

        return Workshop(
            self.dir, self.target_dir, self.manifest, plan, self.store, self.calls, self.sources, self.udfs,
            self.new_engine, reporter, max_calls, self.serving, store_failures, *self._local_bench(),
        )  # fmt: skip

    def _local_bench(self) -> tuple[Callable[[], Engine] | None, int]:
        return (
            (self.local_engine, self.target.local_bytes)
            if self.target.type == "spark"
            else (None, 0)
        )

    @contextmanager
    def _workers(self) -> Iterator[Workers | None]:
        """The processes that run table UDFs; None where this one does."""
        from llm_i2i.udf.processes import Workers

        if self.jobs == 1:
            yield None
            return
        with closing(Workers(self.jobs)) as workers:
            yield workers

    def _unit_bench(self) -> UnitBench:
        from llm_i2i.runner.build.unit_tests import UnitBench

        return UnitBench(
            root=self.dir,
            target_dir=self.target_dir,
            manifest=self.manifest,
            renderer=self.renderer,
            udfs=self.udfs,
            columns_of=self._columns_of,
            new_engine=self.local_engine,
            make_binder=self._binder,
            compiled=self._compiled.values,
        )
