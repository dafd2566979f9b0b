"""Writes what came of an experiment: Parquet, Markdown and figure in target/experiments/NAME, and the tables of the environment `experiments`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from llm_i2i.errors import LlmI2iError
from llm_i2i.experiment.plots import draw_figure
from llm_i2i.experiment.results import Result, Summary, column_types
from llm_i2i.experiment.run import ExperimentPlan, Failure
from llm_i2i.experiment.tables import markdown
from llm_i2i.fingerprint import fingerprint
from llm_i2i.names import quote_identifier
from llm_i2i.runner.project import Project
from llm_i2i.store.environment import Environment, Pointer
from llm_i2i.store.files import replace_file, replace_text
from llm_i2i.store.store import DATA, ResultMeta

ENVIRONMENT = "experiments"  # llmi2i query --env experiments "from experiment_results"
TABLES: Mapping[str, type] = {"experiment_results": Result, "experiment_summary": Summary}


def report(
    project: Project,
    plan: ExperimentPlan,
    rows: Sequence[Result],
    summary: Sequence[Summary],
    failures: Sequence[Failure],
) -> tuple[Path, str]:
    """Write everything.

    Returns:
        The folder, and why there is no figure (empty if there is one, or nothing to draw).
    """
    folder = project.target_dir / "experiments" / plan.trials.name
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        found = {"experiment_results": rows, "experiment_summary": summary}
        digests = {
            f"{table}_{plan.trials.name}": store_rows(
                project,
                ENVIRONMENT,
                f"{table}_{plan.trials.name}",
                TABLES[table],
                found[table],
                held,
            )
            for table in TABLES
        }
        _publish(project, digests)
    for node, digest in digests.items():
        name = node.removeprefix("experiment_").removesuffix(f"_{plan.trials.name}")
        stored = project.store.data_path(node, digest)
        replace_file(folder / f"{name}.parquet", partial(_copy, stored))
    figure, problem = "", ""
    try:
        figure = draw_figure(plan.trials, summary, folder)
    except LlmI2iError as error:
        problem = error.render()
    replace_text(folder / "results.md", markdown(plan, summary, failures, figure))
    return folder, problem


def store_rows(
    project: Project,
    environment: str,
    node: str,
    row_type: type,
    rows: Sequence[Any],
    held: ExitStack,
) -> str:
    """Keep rows as a result of the store, named by what is in them; its fingerprint, which `held` keeps from `gc` until the
    environment points to it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = column_types(row_type)
    arrow = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "VARCHAR": pa.string()}
    schema = pa.schema([(name, arrow[sql_type]) for name, sql_type in types.items()])
    records = [asdict(row) for row in rows]
    digest = fingerprint([list(types.items()), records])
    held.enter_context(project.holds.held(environment, {node: digest}))
    if project.store.meta(node, digest) is None:
        with project.store.new_folder() as folder:
            pq.write_table(pa.Table.from_pylist(records, schema=schema), folder / DATA)
            meta = ResultMeta(node, digest, len(records), 0.0, list(types.items()))
            project.store.publish(folder, meta)
    return digest


def _publish(project: Project, digests: Mapping[str, str]) -> None:
    """In one step: the tables of this experiment, and the views over those of all experiments that were run."""
    environment = Environment(project.target_dir, ENVIRONMENT)
    new = {node: Pointer(digest) for node, digest in digests.items()}
    known = environment.pointers() | new
    for table in TABLES:
        nodes = sorted(n for n, p in known.items() if n.startswith(f"{table}_") and not p.sql)
        sql = " union all by name ".join(f"select * from {quote_identifier(n)}" for n in nodes)
        new[table] = Pointer(fingerprint(sql), sql)
    environment.publish(new)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
