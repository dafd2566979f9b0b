"""dbt in an environment of its own: `make test-dbt` makes one and runs these."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("dbt") is None:
    WHY = "dbt is not installed here: `make test-dbt` makes an environment with it"
elif importlib.util.find_spec("dbt.adapters.duckdb") is None:
    WHY = "dbt-duckdb is not installed here: `make test-dbt`"
else:
    WHY = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if WHY and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=WHY))


def run_python(code: str, *arguments: str) -> str:
    """What a script prints, in a process of its own: dbt keeps its flags in globals and warns of much."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_dbt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`dbt ...` on a project whose profile is beside it."""
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "NO_COLOR": "1"}
    places = ["--project-dir", str(folder), "--profiles-dir", str(folder)]
    return subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), *arguments, *places],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )
