"""Models built partition by partition: one partition a file of the log, only new or changed ones computed.

`config(partition_by='file')` says that a model's rows of one file need no other file. Each partition is named by what made it, as a
result is; one that an earlier result of the model holds is linked into the new result, so a day more costs a day.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.node import Node
from llm_i2i.names import quote_identifier
from llm_i2i.plan.step import PlanStep
from llm_i2i.store.store import PARTITIONS

if TYPE_CHECKING:
    from llm_i2i.runner.build.context import BuildContext


@dataclass(frozen=True)
class Partition:
    """One part of what a partitioned model reads: its name, the digest of its content, and its file, or folder of files."""

    name: str
    digest: str
    path: Path


def write_partitions(step: PlanStep, context: BuildContext, folder: Path) -> tuple[int, int, int]:
    """Write `<folder>/partitions/<name>-<digest>.parquet`, a file or a folder of files, for each partition of what the step reads.

    Returns:
        Number of rows, of partitions that were computed, and of all partitions.

    Raises:
        ProjectError: The model cannot be partitioned.
        EngineError: A partition cannot be computed.
    """
    parent = partitioned_parent(step.node, context.manifest.nodes)
    if step.compiled.steps:
        raise ProjectError(
            f"model {step.node.name!r} is partitioned and calls {step.compiled.steps[0].udf!r}",
            where=step.node.path,
            fix="call it in a model of its own, without partition_by: finished calls are cached anyway",
        )
    (folder / PARTITIONS).mkdir()
    others = {name: digest for name, digest in step.inputs.items() if name != parent.name}
    same = {key: step.parts[key] for key in ("sql", "udfs", "refresh")}
    rows = computed = number = 0
    for number, partition in enumerate(_partitions_of(parent, context)):
        digest = fingerprint(["partition", same, others, partition.digest])
        path = folder / PARTITIONS / f"{number:05}-{partition.name}-{digest}.parquet"
        known = context.store.find_partition(step.node.name, digest)
        if known is not None:
            _link(known, path)
        else:
            _compute(step, parent, partition, path, context)
            computed += 1
        rows += _row_count(path)
    return rows, computed, number + 1


def partitioned_parent(node: Node, nodes: Mapping[str, Node]) -> Node:
    """The one source or partitioned model that a partitioned model reads.

    Raises:
        ProjectError: There is none, or more than one.
    """
    found = [nodes[name] for name in node.reads if _has_partitions(nodes[name])]
    if len(found) != 1:
        raise ProjectError(
            f"model {node.name!r} is partitioned by file, which takes exactly one source or partitioned model among what it reads",
            where=node.path,
            found=", ".join(parent.name for parent in found) or f"none among {', '.join(node.reads)}",
            fix="remove partition_by, or read one source of several files",
        )  # fmt: skip
    return found[0]


def _has_partitions(node: Node) -> bool:
    return (node.is_source and node.resource_type == "source") or bool(node.config.get("partition_by"))  # fmt: skip


def _partitions_of(parent: Node, context: BuildContext) -> list[Partition]:
    if parent.is_source:
        return [
            Partition(_plain(path), digest, path)
            for path, digest in context.sources.file_digests(parent)
        ]
    paths = context.store.partition_paths(parent.name, context.plan.fingerprints[parent.name])
    return [Partition(p.stem[6:-17], p.stem[-16:], p) for p in paths]


def _plain(path: Path) -> str:
    """A file's name without suffixes, fit for another file's name."""
    return re.sub(r"[^A-Za-z0-9_=-]", "_", path.name.split(".")[0])[:60] or "part"


def _compute(
    step: PlanStep, parent: Node, partition: Partition, path: Path, context: BuildContext
) -> None:
    engine = context.open_step(step, tuple(n for n in step.node.reads if n != parent.name))
    try:
        if parent.is_source:
            context.declare_source(engine, parent, partition.path, partition.digest)
        else:
            engine.declare_parquet(parent.name, [partition.path])
        # a file alone may have narrower types than all together
        columns = ", ".join(
            f"cast({quote_identifier(name)} as {sql_type}) as {quote_identifier(name)}"
            for name, sql_type in step.compiled.columns
        )
        engine.write_parquet(f"select {columns} from (\n{step.compiled.sql}\n) as part", path)
    finally:
        engine.close()


def _link(known: Path, path: Path) -> None:
    """Let `path` be the partition `known`, which a cluster writes as a folder of files."""
    if known.is_dir():
        path.mkdir()
        for file in known.iterdir():
            _link(file, path / file.name)
        return
    try:
        os.link(known, path)
    except OSError:  # another file system, or one without links
        shutil.copyfile(known, path)


def _row_count(path: Path) -> int:
    import pyarrow.parquet as pq

    files = path.glob("*.parquet") if path.is_dir() else [path]
    return sum(int(pq.read_metadata(file).num_rows) for file in files)
