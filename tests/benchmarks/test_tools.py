"""Start-up and no-op builds of generated projects, beside dbt-duckdb and SQLMesh on the same models (`make bench-tools`)."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.ratios import Ratio, Side
from tests.benchmarks.report import write_report

pytestmark = pytest.mark.bench
ROUNDS = 3
AIMS = {("--version", 10): 0.15, ("ls", 10): 0.5, ("ls", 300): 1.5, ("no-op build", 10): 1.0, ("no-op build", 300): 3.0}  # fmt: skip
AT_LEAST = 4.0  # times faster than the faster of the two others


def tool(name: str) -> str:
    """A command of the environment that LLMI2I_TOOLS names (folders of executables, with colons between)."""
    found = shutil.which(name, path=os.environ.get("LLMI2I_TOOLS", os.environ["PATH"]))
    if found is None:
        pytest.skip(f"{name} is not installed: LLMI2I_TOOLS names the folders where it is")
    return found


def model_sql(number: int, reference: str) -> str:
    """A chain of ten-column models; every tenth starts anew."""
    if number % 10 == 0:
        columns = ", ".join(f"i * {k} as c{k}" for k in range(1, 10))
        return f"select i as id, {columns} from range(100) as r(i)"
    columns = ", ".join(f"c{k} + {number} as c{k}" for k in range(1, 10))
    return f"select id, {columns} from {reference}"


def properties(names: list[str]) -> str:
    lines = ["version: 2", "models:"]
    for name in names:
        lines += [f"  - name: {name}", "    description: One of many.", "    columns:"]
        lines += ["      - name: id", "        data_tests: [not_null, unique]"]
    return "\n".join(lines) + "\n"


def write_ours(folder: Path, names: list[str]) -> list[str]:
    (folder / "project").mkdir(parents=True)
    (folder / "project/project.yml").write_text(
        "name: many\ntarget: dev\ntargets: {dev: {type: duckdb, threads: 1}}\n"
    )
    write_models(folder, names, "{{{{ ref('{}') }}}}")
    return [sys.executable, "-m", "llm_i2i"]


def write_dbt(folder: Path, names: list[str]) -> list[str]:
    folder.mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(
        "name: many\nversion: '1.0'\nprofile: many\nmodels: {many: {+materialized: table}}\n"
        "flags: {send_anonymous_usage_stats: false}\n"
    )
    (folder / "profiles.yml").write_text(
        f"many: {{target: dev, outputs: {{dev: {{type: duckdb, path: '{folder}/many.duckdb', threads: 1}}}}}}\n"
    )
    write_models(folder, names, "{{{{ ref('{}') }}}}")
    return [tool("dbt")]


def write_sqlmesh(folder: Path, names: list[str]) -> list[str]:
    (folder / "models").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "gateways: {local: {connection: {type: duckdb, database: many.duckdb}}}\ndefault_gateway: local\n"
        "model_defaults: {dialect: duckdb, start: '2026-01-01'}\n"
    )
    for number, name in enumerate(names):
        head = f"MODEL (name many.{name}, kind FULL, grain id, audits (not_null(columns := (id)), unique_values(columns := (id))));\n"
        sql = model_sql(number, f"many.{names[number - 1]}")
        (folder / f"models/{name}.sql").write_text(head + sql + "\n")
    return [tool("sqlmesh")]


def write_models(folder: Path, names: list[str], reference: str) -> None:
    (folder / "models").mkdir()
    for number, name in enumerate(names):
        sql = model_sql(number, reference.format(names[number - 1]))
        (folder / f"models/{name}.sql").write_text(sql + "\n")
    (folder / "models/models.yml").write_text(properties(names))


TOOLS = {
    "llmi2i": (write_ours, {"--version": ["--version"], "ls": ["ls"], "no-op build": ["build"]}),
    "dbt-duckdb": (
        write_dbt,
        {"--version": ["--version"], "ls": ["ls"], "no-op build": ["build"]},
    ),
    "SQLMesh": (
        write_sqlmesh,
        {"--version": ["--version"], "ls": ["dag", "dag.html"], "no-op build": ["plan", "--auto-apply", "--no-prompts"]},
    ),
}  # fmt: skip


def cpu_seconds(command: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "1", "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_beside_dbt_and_sqlmesh(tmp_path: Path) -> None:
    measured: dict[tuple[str, int], dict[str, Side]] = {}
    for size in (10, 300):
        names = [f"model_{number:03}" for number in range(size)]
        for name, (write, commands) in TOOLS.items():
            folder = tmp_path / f"{name}_{size}"
            program = write(folder, names)
            cpu_seconds(
                [*program, *commands["no-op build"]], folder
            )  # the first build is a real one
            for what, arguments in commands.items():
                if what == "--version" and size > 10:
                    continue
                seconds = [cpu_seconds([*program, *arguments], folder) for _ in range(ROUNDS)]
                measured.setdefault((what, size), {})[name] = Side.of(name, seconds)
    rows, ratios = [], []
    for (what, size), found in measured.items():
        ours, dbt, sqlmesh = (found[name] for name in TOOLS)
        other, aim = min(dbt, sqlmesh, key=lambda side: side.value), AIMS[what, size]
        name = f"{what}, {size} models"
        ratios += [
            Ratio.of(name, ours, aim=aim),
            Ratio.of(f"{name} / the faster of the two", ours, other, aim=1 / AT_LEAST),
        ]
        rows.append(
            (what, size, ours.value, aim, dbt.value, sqlmesh.value, other.value / ours.value)
        )
    write_report(
        "tools",
        "CPU seconds beside dbt-duckdb and SQLMesh: chains of ten-column models with two data tests each, median of 3",
        ("command", "models", "llmi2i", "aim", "dbt-duckdb", "SQLMesh", "times faster than the faster of the two"),
        rows,
        "make bench-tools",
        ratios,
    )  # fmt: skip
