"""What the work of one build shares: the plan, the store, the UDFs, the engines; and what a step hands back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.engine.base import Columns, Engine
from llm_i2i.errors import LlmI2iError
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import Node
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.base.sources import SourceFiles
from llm_i2i.runner.build.events import Reporter
from llm_i2i.store.calls import CallCache
from llm_i2i.store.store import ResultMeta, Store
from llm_i2i.udf.batch import CallCounts
from llm_i2i.udf.processes import RunningCall, Workers
from llm_i2i.udf.registry import UdfRegistry

if TYPE_CHECKING:
    from llm_i2i.graph.compile import BinderFactory
    from llm_i2i.render.renderer import Renderer

# A build that steps aside while a process of `Workers` makes a call of it.
Work = Generator[RunningCall, None, "Built"]


@dataclass(frozen=True)
class UnitTestContext:
    """What running unit tests needs of a project.

    Attributes:
        columns_of: Names of nodes -> their real columns, which given rows are typed by.
        compiled: The compile cache.
    """

    root: Path
    target_dir: Path
    manifest: Manifest
    renderer: Renderer
    udfs: UdfRegistry
    columns_of: Callable[[Sequence[str]], Mapping[str, Columns]]
    new_engine: Callable[[], Engine]
    make_binder: BinderFactory
    compiled: dict[str, Any]


@dataclass(frozen=True)
class BuildContext:
    """What the steps of one build share."""

    project_dir: Path
    target_dir: Path
    manifest: Manifest
    plan: Plan
    store: Store
    calls: CallCache
    sources: SourceFiles
    udfs: UdfRegistry
    new_engine: Callable[..., Engine]
    reporter: Reporter
    max_calls: int | None = None
    serving: Mapping[str, Any] = field(default_factory=dict)
    store_failures: bool = False  # for data tests that do not say
    local_engine: Callable[[], Engine] | None = None  # where small data tests are quicker
    local_bytes: int = 0  # what counts as small: bytes on disk of all tables a test reads
    workers: Workers | None = None  # run table UDFs that are not quick; this process without
    found: set[str] = field(default_factory=set)  # nodes whose results were seen to be there
    unit_tests: UnitTestContext | None = None  # without one, unit tests are not run
    left_out: frozenset[str] = frozenset()  # names of the tests that are not run

    def has_result(self, name: str) -> bool:
        """Whether a node can be read now; what was there once is not looked for again."""
        if name not in self.found and self._finds_result(name):
            self.found.add(name)
        return name in self.found

    def _finds_result(self, name: str) -> bool:
        node = self.manifest.nodes[name]
        if node.is_source:
            return True
        if name in self.plan.ephemeral:
            return all(self.has_result(parent) for parent in node.reads)
        known = self.plan.fingerprints.get(name)
        return known is not None and self.store.meta(name, known) is not None

    def declare(self, engine: Engine, names: tuple[str, ...]) -> None:
        """Make nodes readable in an engine's session under their own names."""
        for name in names:
            node = self.manifest.nodes[name]
            if node.is_source:
                self.declare_source(engine, node)
            elif name in self.plan.ephemeral:
                view = self.plan.ephemeral[name]
                self.declare(engine, node.reads)
                self._declare_scalars(engine, view)
                engine.declare_query(name, view.compiled.sql)
            else:
                engine.declare_parquet(
                    name, [self.store.data_path(name, self.plan.fingerprints[name])]
                )

    def bytes_of(self, names: Sequence[str]) -> int:
        """Size on disk of the tables behind nodes, those behind views included."""
        total = 0
        for name in names:
            node = self.manifest.nodes[name]
            if node.is_source:
                total += sum(path.stat().st_size for path in self.sources.files(node))
            elif name in self.plan.ephemeral:
                total += self.bytes_of(node.reads)
            else:
                meta = self.store.meta(name, self.plan.fingerprints[name])
                total += sum(meta.files.values()) if meta else 0
        return total

    def broken_source(self, names: Sequence[str]) -> LlmI2iError | None:
        """The error that names a broken line of a file behind nodes, those behind views included; None if there is none."""
        for name in names:
            node = self.manifest.nodes[name]
            found: LlmI2iError | None = None
            if node.is_source:
                found = self.sources.broken_line(node)
            elif name in self.plan.ephemeral:
                found = self.broken_source(node.reads)
            if found is not None:
                return found
        return None

    def declare_source(
        self, engine: Engine, node: Node, file: Path | None = None, digest: str = ""
    ) -> None:
        """Make a source readable, all of it or one of its files, whose content has this digest."""
        if files := self.sources.parquet_files(node):
            engine.declare_parquet(node.name, [file] if file else files)
            return
        copy = f"{node.name}-{digest or self.sources.fingerprint(node)}.parquet"
        scan = self.sources.scan(node, [file] if file else None)
        engine.declare_files(node.name, scan, self.target_dir / "cache" / "sources" / copy)

    def _declare_scalars(self, engine: Engine, step: PlanStep) -> None:
        for name in step.compiled.udfs:
            if self.udfs.signatures[name].kind == "scalar":
                engine.declare_scalar(self.udfs.signatures[name], self.udfs.function(name))

    def open_step(self, step: PlanStep, reads: tuple[str, ...] | None = None) -> Engine:
        """A fresh session that holds what the step reads, or only these nodes."""
        has_hooks = bool(step.node.pre_hook or step.node.post_hook)
        engine = self.new_engine(isolated=True) if has_hooks else self.new_engine()
        self.declare(engine, step.node.reads if reads is None else reads)
        self._declare_scalars(engine, step)
        return engine


@dataclass(frozen=True)
class Built:
    """A stored result and the calls it took; `reused` if another build finished it meanwhile."""

    meta: ResultMeta
    calls: CallCounts | None = None
    reused: bool = False


class Busy(Exception):
    """Another build is making the result of a step, and this one must not stand still for it."""
