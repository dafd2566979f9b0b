"""A small project on disk: two sources, a batch UDF, a table UDF, data tests."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.project import Project

FILES = {
    "project/project.yml": """
        name: shop
        vars: {log: data/log.csv, order_column: position, threshold: 0.5, planet: Earth}
        target: dev
        targets: {dev: {type: duckdb, threads: 1, memory_limit: 1GB}}
        language_models: {small: {architecture: fake}}
    """,
    "project/prompts/hello.jinja": "Hello {{ name }} of {{ place }}\n",
    "models/sources.yml": """
        sources:
          - name: log
            tables:
              - name: events
                path: "{{ var('log') }}"
                columns: [{name: user_id}, {name: item_id}, {name: "{{ var('order_column') }}"}]
    """,
    "models/events.sql": """
        -- events.sql: the log, typed.
        select
            user_id,
            item_id,
            {{ var('order_column') }} as position
        from {{ source('log', 'events') }}
    """,
    "models/prompts.sql": """
        select
            user_id,
            {{ prompt('hello', name='user_id', place="'" ~ var('planet') ~ "'") }} as prompt
        from {{ ref('events') }}
        group by user_id
    """,
    "models/trained.sql": """
        select step, checkpoint
        from train((select item_id from {{ ref('events') }} order by item_id), language_model := {{ language_model('small') }})
    """,
    "models/scored.sql": """
        select
            user_id,
            prompt,
            score(prompt, model := (select any_value(checkpoint) from {{ ref('trained') }})) as score
        from {{ ref('prompts') }}
    """,
    "models/kept.sql": """
        select
            user_id,
            score
        from {{ ref('scored') }}
        where score >= {{ var('threshold') }}
    """,
    "models/models.yml": """
        models:
          - name: events
            description: The log.
            grain: [user_id, item_id]
            config: {tags: [log]}
            columns:
              - name: user_id
                data_tests: [not_null]
            data_tests: [not_empty]
          - name: kept
            columns:
              - name: user_id
                data_tests:
                  - not_null
                  - relationships: {to: ref('events'), field: user_id}
              - name: score
                data_tests:
                  - accepted_range: {min_value: 0, max_value: 1}
    """,
    "udfs/functions.py": '''
        """UDFs of the test project; every call is noted in calls.log."""

        from __future__ import annotations

        import hashlib

        import pyarrow as pa

        from llm_i2i.udf import UdfContext, batch_udf, table_udf


        @batch_udf(returns="DOUBLE", batch_size=7)
        def score(prompt: list[str], *, model: str, context: UdfContext) -> list[float]:
            """A number in [0, 1] that depends on prompt and model."""
            with (context.project_dir / "calls.log").open("a") as log:
                log.writelines(f"{p}\\n" for p in prompt)
            return [int(hashlib.sha256((model + p).encode()).hexdigest()[:6], 16) / 0xFFFFFF for p in prompt]


        @table_udf(returns={"step": "BIGINT", "checkpoint": "VARCHAR"})
        def train(rows: pa.Table, *, language_model: str, context: UdfContext) -> pa.Table:
            """A checkpoint that holds the number of rows."""
            (context.artifact_dir / "weights.txt").write_text(f"{rows.num_rows} {language_model}")
            context.progress(1, 1, "loss 0.1")
            digest = hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()[:12]
            return pa.table({"step": [1], "checkpoint": [f"{context.artifact_name}@{digest}"]})
    ''',
}


class ShopProject:
    """The project's folder, and ways to change and run it."""

    def __init__(self, folder: Path) -> None:
        self.dir = folder
        for name, text in FILES.items():
            self.write(name, text)
        self.write_log(20)

    def write(self, name: str, text: str) -> Path:
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.dir / name).read_text()
        assert old in text
        (self.dir / name).write_text(text.replace(old, new))

    def write_log(self, users: int) -> None:
        rows = [f"u{u},i{(u * 7 + k) % 11},{k}" for u in range(users) for k in range(3)]
        self.write("data/log.csv", "user_id,item_id,position\n" + "\n".join(rows) + "\n")

    def calls(self) -> list[str]:
        """Prompts the batch UDF was called with since the last look."""
        log = self.dir / "calls.log"
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return calls

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """`llmi2i ...` in a process of its own."""
        command = [
            sys.executable,
            "-m",
            "llm_i2i",
            arguments[0],
            "--project-dir",
            str(self.dir),
            *arguments[1:],
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture
def shop(tmp_path: Path) -> ShopProject:
    return ShopProject(tmp_path)


@pytest.fixture
def build(shop: ShopProject) -> Callable[..., dict[str, str]]:
    """Build in this process; returns node -> status."""

    def run(vars: dict[str, object] | None = None, **options: object) -> dict[str, str]:
        result = Project.load(shop.dir, vars=vars).build(**options)  # type: ignore[arg-type]
        return {outcome.step.node.name: outcome.status for outcome in result.nodes}

    return run


@pytest.fixture(scope="session")
def reference_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The reference project with the fake language model, compiled and not built."""
    target = tmp_path_factory.mktemp("reference") / "target"
    return Project.load(
        Path(__file__).parents[2], vars={"language_model": "fake"}, target_path=target
    )


@pytest.fixture(scope="session")
def reference_shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The reference project built on a made-up log with the fake language model: its folder and vars."""
    from tests.project.test_reference_project import build, write_log

    folder = tmp_path_factory.mktemp("reference")
    vars = write_log(folder)
    build(folder, vars)
    return folder, vars
