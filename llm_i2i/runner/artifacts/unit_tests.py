"""Unit tests as dbt's `manifest.json` and `run_results.json` tell of them; a mocked UDF is an input as any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from llm_i2i.graph.node import UnitCheck, WrittenRows
from llm_i2i.runner.build.events import UnitOutcome


def unit_test_id(project: str, check: UnitCheck) -> str:
    """dbt's name of a unit test."""
    return f"unit_test.{project}.{check.model}.{check.name}"


def unit_test_entry(
    project: str, check: UnitCheck, unique_id: Callable[[str], str]
) -> dict[str, Any]:
    """One of the manifest's `unit_tests`.

    Args:
        unique_id: dbt's name of a node.
    """
    path = check.where.partition(":")[0]
    given = {f"ref('{name}')": rows for name, rows in check.given.items()}
    given |= {f"udf('{name}')": rows for name, rows in check.mocks.items()}
    return {
        "name": check.name,
        "resource_type": "unit_test",
        "package_name": project,
        "path": path,
        "original_file_path": path,
        "unique_id": unit_test_id(project, check),
        "fqn": [project, check.model, check.name],
        "model": check.model,
        "given": [{"input": name, **_rows(rows)} for name, rows in given.items()],
        "expect": _rows(check.expect),
        "description": check.description,
        "overrides": {
            "vars": dict(check.vars),
            "macros": dict(check.macros),
            "env_vars": dict.fromkeys(check.env_vars, "..."),  # a value may be a secret
        },
        "depends_on": {"nodes": [unique_id(check.model)], "macros": []},
        "config": {"tags": list(check.tags), "meta": {}, "enabled": True},
        "created_at": time.time(),
    }


def unit_result(project: str, outcome: UnitOutcome) -> dict[str, Any]:
    """One of the results of a run; one that is reused takes no time."""
    error = outcome.error.render() if outcome.error else None
    return {
        "unique_id": unit_test_id(project, outcome.check),
        "status": outcome.status.lower(),
        "timing": [],
        "thread_id": "Thread-1",
        "execution_time": outcome.seconds,
        "adapter_response": {"reused": outcome.reused},
        "message": error or outcome.diff or None,
        "failures": outcome.failures,
        "compiled": True,
        "compiled_code": None,
        "relation_name": None,
    }


def _rows(written: WrittenRows) -> Mapping[str, Any]:
    if written.sql is not None:
        return {"rows": written.sql, "format": "sql"}
    return {"rows": [dict(row) for row in written.rows], "format": "dict"}
