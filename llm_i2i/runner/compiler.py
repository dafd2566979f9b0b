"""How a project is compiled: the columns of its sources, the SQL of its models, the engines that bind it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.graph.compile import CompiledModel, compile_models
from llm_i2i.graph.dag import Dag
from llm_i2i.graph.manifest import Manifest, unknown_reference, unknown_source
from llm_i2i.graph.node import Node, source_node_name
from llm_i2i.runner.definition import ProjectDefinition
from llm_i2i.runner.sources import JsonCache

if TYPE_CHECKING:
    from llm_i2i.engine.base import Columns, Engine
    from llm_i2i.graph.compile import Binder
    from llm_i2i.graph.lineage import ColumnGraph

INLINE = "--inline"  # name and place of a query that is no model


class ProjectCompiler(ProjectDefinition):
    """The second of the layers of `Project`: SQL for its models; nothing is run."""

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

    def compile_inline(self, sql: str) -> CompiledModel:
        """A query that is no model of the project, compiled as one would be, in the SQL of the target's engine; nothing is written.

        Raises:
            ProjectError: It reads what is not there, or cannot be compiled.
        """
        rendered = self.renderer.render_expression(sql, INLINE)
        known = self.manifest.nodes
        reads = []
        for ref in rendered.refs:
            if ref.name not in known:
                raise unknown_reference(ref.name, known, INLINE)
            reads.append(ref.name)
        for source in rendered.sources:
            name = source_node_name(source.source, source.table)
            if name not in known:
                raise unknown_source(source.source, source.table, known, INLINE)
            reads.append(name)
        text = rendered.sql.strip().rstrip(";")
        node = Node(INLINE, INLINE, "table", text, reads=tuple(dict.fromkeys(reads)))
        columns = self._columns_of(node.reads)
        alone = Manifest({INLINE: node}, (), Dag({}))
        compiled = compile_models(
            alone, [INLINE], columns, self.udfs.signatures, self._binder, self._compiled.values
        )
        if self.target.type == "spark":
            from llm_i2i.graph.carry import carry_models

            compiled = carry_models(alone, compiled, columns, self._binder, self._compiled.values)
        return compiled[INLINE]

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
        """Where the compiled SQL of a model is written."""
        return self.target_dir / "compiled" / node.compiled_file(self.loaded.config.name)

    def write_manifest(self, compiled: Mapping[str, CompiledModel]) -> None:
        """Write `manifest.json` of dbt's shape into the target folder."""
        from llm_i2i.runner.artifacts import MANIFEST, Artifacts, write_artifact

        artifacts = Artifacts(
            self.loaded, self.manifest, self.renderer.macros, self.environment.name, compiled
        )
        write_artifact(self.target_dir, MANIFEST, artifacts.manifest_json())

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

    def _columns_of(self, names: Iterable[str]) -> dict[str, Columns]:
        """The columns of nodes, sources among them."""
        nodes = [self.manifest.nodes[name] for name in names]
        models = [node.name for node in nodes if not node.is_source]
        compiled = self.compile(models) if models else {}
        return {
            node.name: self._source_columns(node) if node.is_source else compiled[node.name].columns
            for node in nodes
        }

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
        from llm_i2i.sql.portable.rounds import rounds
        from llm_i2i.sql.portable.translate import translate

        return SparkEngine(
            self.target.url,
            translate=translate,
            local=self.local_engine(),
            scratch=self._scratch().resolve() / "spark",
            conf=self.target.conf,
            driver_rows=self.target.driver_rows,
            rounds=rounds,
        )

    def _scratch(self) -> Path:
        return self.target_dir / "tmp" / str(os.getpid())
