"""What a build would do: which nodes and tests are selected, what is stale, what its calls cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import ProjectError
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.base.compiler import Compiler
from llm_i2i.runner.base.definition import ProjectDefinition, words_of
from llm_i2i.runner.base.sources import JsonCache
from llm_i2i.runner.build.events import Reporter
from llm_i2i.udf.batch import CallCounts

if TYPE_CHECKING:
    from llm_i2i.engine.base import Engine
    from llm_i2i.graph.select_tests import Check
    from llm_i2i.runner.build.context import BuildContext, UnitTestContext
    from llm_i2i.udf.processes import Workers


class Planner:
    """Plans of a project, and the context in which their steps are carried out."""

    def __init__(self, compiler: Compiler) -> None:
        self.definition: ProjectDefinition = compiler.definition
        self.compiler = compiler

    def plan(
        self,
        select: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
    ) -> Plan:
        """What `build` would do, as data. Nothing is run; with `full_refresh` the selected nodes count as stale."""
        select, exclude = self.definition.criteria(select, exclude)
        _, exclude = self.excluded_tests(select, exclude)
        return self.plan_refreshed(select, exclude, self.refreshes(full_refresh, select, exclude))

    def plan_refreshed(
        self,
        select: str | Iterable[str],
        exclude: str | Iterable[str],
        refreshes: Mapping[str, int],
    ) -> Plan:
        """A plan by criteria for nodes alone, with the number of full refreshes of each node."""
        selected = self.definition.select(list(words_of(select)) or ["*"], exclude)
        if all(self.definition.manifest.nodes[name].is_source for name in selected):
            raise ProjectError(
                "nothing selected",
                found=f"only sources: {', '.join(selected)}",
                fix="select what reads them: source:name+",
            )
        compiled = self.compiler.compile(selected)
        wanted = self.compiler.with_ancestors(selected)
        fingerprints = {
            n: self.definition.sources.fingerprint(self.definition.manifest.nodes[n])
            for n in wanted
            if self.definition.manifest.nodes[n].is_source
        }
        self.definition.sources.save_digests()
        published = {
            name: pointer.fingerprint
            for name, pointer in self.definition.environment.pointers().items()
        }
        from llm_i2i.plan.build import build_plan

        return build_plan(
            self.definition.manifest,
            selected,
            compiled,
            fingerprints,
            refreshes,
            self.definition.store.meta,
            published,
        )

    def excluded_tests(
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
        tests = self.definition.manifest.tests
        own = {check.name for check in tests} - self.definition.selection.resources.by_key.keys()
        of_tests = [word for word in words if is_test_criterion(word) or word in own]
        if not of_tests:
            return set(), words
        chosen = select_tests(tests, of_tests, (), self.definition.select)
        return {check.name for check in chosen}, [w for w in words if w not in of_tests]

    def select_tests(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> list[Check]:
        """The selected unit tests and data tests, all of them by default.

        Raises:
            ProjectError: There is none.
        """
        from llm_i2i.graph.select_tests import select_tests

        return select_tests(
            self.definition.manifest.tests,
            words_of(select),
            words_of(exclude),
            self.definition.select,
        )

    def refreshes(
        self, full_refresh: bool, select: str | Iterable[str], exclude: str | Iterable[str]
    ) -> dict[str, int]:
        """Node -> number of full refreshes, counting this one: a refresh is a new result beside the old one.

        A volatile model is refreshed by each build that it is selected in.
        """
        known: dict[str, int] = JsonCache(self.refresh_file).values
        nodes = self.definition.manifest.nodes
        if not full_refresh and not any(node.config.get("volatile") for node in nodes.values()):
            return known
        selected = self.definition.select(list(words_of(select)) or ["*"], exclude)
        renewed = [n for n in selected if full_refresh or nodes[n].config.get("volatile")]
        return {**known, **{name: known.get(name, 0) + 1 for name in renewed}}

    def past_refreshes(self) -> dict[str, int]:
        """Node -> number of full refreshes so far."""
        known: dict[str, int] = JsonCache(self.refresh_file).values
        return known

    @property
    def refresh_file(self) -> Path:
        """Where the numbers of full refreshes are kept."""
        return self.definition.target_dir / "cache" / "refreshes.json"

    def calls_of(self, plan: Plan, step: PlanStep) -> CallCounts | None:
        """UDF calls of a step: distinct, cached, tokens and time of the rest; None if that cannot be known yet."""
        from llm_i2i.runner.build.steps import plan_calls

        return plan_calls(step, self.context(plan, Reporter()))

    def context(
        self,
        plan: Plan,
        reporter: Reporter,
        max_calls: int | None = None,
        store_failures: bool = False,
    ) -> BuildContext:
        """What carrying out a plan needs of the project."""
        from llm_i2i.runner.build.context import BuildContext

        project = self.definition
        local_engine, local_bytes = self._local_engine()
        return BuildContext(
            project_dir=project.dir,
            target_dir=project.target_dir,
            manifest=project.manifest,
            plan=plan,
            store=project.store,
            calls=project.calls,
            sources=project.sources,
            udfs=project.udfs,
            new_engine=self.compiler.new_engine,
            reporter=reporter,
            max_calls=max_calls,
            serving=project.serving,
            store_failures=store_failures,
            local_engine=local_engine,
            local_bytes=local_bytes,
        )

    def _local_engine(self) -> tuple[Callable[[], Engine] | None, int]:
        return (
            (self.compiler.local_engine, self.definition.target.local_bytes)
            if self.definition.target.type == "spark"
            else (None, 0)
        )

    @contextmanager
    def workers(self) -> Iterator[Workers | None]:
        """The processes that run table UDFs; None where this one does."""
        from llm_i2i.udf.processes import Workers

        if self.definition.jobs == 1:
            yield None
            return
        with closing(Workers(self.definition.jobs)) as workers:
            yield workers

    def unit_test_context(self) -> UnitTestContext:
        """What running unit tests needs of the project."""
        from llm_i2i.runner.build.context import UnitTestContext

        return UnitTestContext(
            root=self.definition.dir,
            target_dir=self.definition.target_dir,
            manifest=self.definition.manifest,
            renderer=self.definition.renderer,
            udfs=self.definition.udfs,
            columns_of=self.compiler.columns_of,
            new_engine=self.compiler.local_engine,
            make_binder=self.compiler.binder,
            compiled=self.definition.compiled_cache.values,
        )
