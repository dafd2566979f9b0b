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
from llm_i2i.runner.base.definition import ProjectDefinition
from llm_i2i.runner.base.sources import JsonCache

if TYPE_CHECKING:
    from llm_i2i.engine.base import Columns, Engine
    from llm_i2i.graph.compile import Binder
    from llm_i2i.graph.lineage import ColumnGraph

INLINE = "--inline"  # name and place of a query that is no model


class Compiler:
    """SQL for the models of a project, and the engines it runs on; nothing is run."""

    def __init__(self, definition: ProjectDefinition) -> None:
        self.definition = definition

    def compile(self, names: Iterable[str] | None = None) -> dict[str, CompiledModel]:
        """Compile models and their ancestors (all models by default)."""
        wanted = self.with_ancestors(self.definition.manifest.dag.order if names is None else names)
        nodes = self.definition.manifest.nodes
        source_nodes = [nodes[n] for n in wanted if nodes[n].is_source]
        columns = {node.name: self.source_columns(node) for node in source_nodes}
        compiled = compile_models(
            self.definition.manifest,
            wanted,
            columns,
            self.definition.udfs.signatures,
            self.binder,
            self.definition.compiled_cache.values,
        )
        if self.definition.target.type == "spark":
            self._carried(compiled, columns)  # what cannot run there is found before anything runs
        self.definition.compiled_cache.save()
        return compiled

    def _carried(
        self, compiled: Mapping[str, CompiledModel], source_columns: Mapping[str, Columns]
    ) -> dict[str, CompiledModel]:
        from llm_i2i.graph.carry import carry_models

        return carry_models(
            self.definition.manifest,
            compiled,
            source_columns,
            self.binder,
            self.definition.compiled_cache.values,
        )

    def compiled_text(self, names: Iterable[str]) -> dict[str, str]:
        """The SQL of models as the target's engine gets it, all statements in the order they run."""
        compiled = self.compile(names)
        if self.definition.target.type == "spark":
            nodes = self.definition.manifest.nodes
            read = {parent for name in compiled for parent in nodes[name].reads}
            sources = [nodes[name] for name in read - set(compiled)]
            compiled = self._carried(
                compiled, {node.name: self.source_columns(node) for node in sources}
            )
        return {name: compiled[name].text() for name in names}

    def compile_inline(self, sql: str) -> CompiledModel:
        """A query that is no model of the project, compiled as one would be, in the SQL of the target's engine; nothing is written.

        Raises:
            ProjectError: It reads what is not there, or cannot be compiled.
        """
        rendered = self.definition.renderer.render_expression(sql, INLINE)
        known = self.definition.manifest.nodes
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
        columns = self.columns_of(node.reads)
        alone = Manifest({INLINE: node}, (), Dag({}))
        compiled = compile_models(
            alone,
            [INLINE],
            columns,
            self.definition.udfs.signatures,
            self.binder,
            self.definition.compiled_cache.values,
        )
        if self.definition.target.type == "spark":
            from llm_i2i.graph.carry import carry_models

            compiled = carry_models(
                alone, compiled, columns, self.binder, self.definition.compiled_cache.values
            )
        return compiled[INLINE]

    def lineage(self) -> ColumnGraph:
        """Which column is made from which, over all models; nothing is run."""
        from llm_i2i.graph.lineage import build_column_graph

        compiled = self.compile()
        nodes = self.definition.manifest.nodes
        read = {parent for name in compiled for parent in nodes[name].reads}
        sources = {name: self.source_columns(nodes[name]) for name in read - set(compiled)}
        cache = JsonCache(self.definition.target_dir / "cache" / "lineage.json")
        graph = build_column_graph(self.definition.manifest, compiled, sources, cache.values)
        cache.save()
        return graph

    def compiled_path(self, node: Node) -> Path:
        """Where the compiled SQL of a model is written."""
        return (
            self.definition.target_dir
            / "compiled"
            / node.compiled_file(self.definition.loaded.config.name)
        )

    def with_ancestors(self, names: Iterable[str]) -> list[str]:
        """Models and what they read, in build order; a source that none of them reads is left out."""
        wanted = {name for name in names if not self.definition.manifest.nodes[name].is_source}
        for name in list(wanted):
            wanted |= self.definition.manifest.dag.ancestors(name)
        return [name for name in self.definition.manifest.dag.order if name in wanted]

    def source_columns(self, node: Node) -> Columns:
        """The columns of a source, from its files or from what was found in them before."""
        from llm_i2i.runner.base.sources import check_declared

        key = f"columns|{self.definition.sources.fingerprint(node)}"
        known = self.definition.compiled_cache.values.get(key)
        if known is not None:
            columns = tuple((name, sql_type) for name, sql_type in known)
            check_declared(node, columns)
            return columns
        engine = self.local_engine()
        try:
            columns = self.definition.sources.columns(node, engine)
        finally:
            engine.close()
        self.definition.compiled_cache.values[key] = columns
        return columns

    def columns_of(self, names: Iterable[str]) -> dict[str, Columns]:
        """The columns of nodes, sources among them."""
        nodes = [self.definition.manifest.nodes[name] for name in names]
        models = [node.name for node in nodes if not node.is_source]
        compiled = self.compile(models) if models else {}
        return {
            node.name: self.source_columns(node) if node.is_source else compiled[node.name].columns
            for node in nodes
        }

    def binder(self) -> Binder:
        """An engine that compilation binds SQL with."""
        return self.local_engine()

    def local_engine(self, *, isolated: bool = False) -> Engine:
        """A fresh session of DuckDB in this process: binds and describes SQL, whatever engine the target has."""
        from llm_i2i.engine.duckdb import DuckDBEngine

        spill = (
            self.definition.dir / self.definition.target.temp_directory
            if self.definition.target.temp_directory
            else self.scratch()
        )
        return DuckDBEngine(
            threads=self.definition.threads,
            memory_limit=self.definition.target.memory_limit,
            spill_dir=spill,
            isolated=isolated,
        )

    def new_engine(self, *, isolated: bool = False) -> Engine:
        """A fresh session of the target's engine; `isolated` where users' own statements run in it."""
        if self.definition.target.type == "duckdb":
            return self.local_engine(isolated=isolated)
        from llm_i2i.engine.spark import SparkEngine
        from llm_i2i.sql.portable.rounds import rounds
        from llm_i2i.sql.portable.translate import translate

        return SparkEngine(
            self.definition.target.url,
            translate=translate,
            local=self.local_engine(),
            scratch=self.scratch().resolve() / "spark",
            conf=self.definition.target.conf,
            driver_rows=self.definition.target.driver_rows,
            rounds=rounds,
        )

    def scratch(self) -> Path:
        """The folder of this process for what spills; whoever runs something removes it."""
        return self.definition.target_dir / "tmp" / str(os.getpid())
