"""One project for all targets, and the count at the end."""

from __future__ import annotations

from typing import Any

import pytest

from llm_i2i.runner.project import Project
from tests.fuzz import harness
from tests.project.conftest import ShopProject


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    """The small project, built."""
    shop = ShopProject(tmp_path_factory.mktemp("fuzz"))
    assert Project.load(shop.dir).build().success
    return shop


@pytest.fixture(scope="session")
def project(shop: ShopProject) -> Project:
    return Project.load(shop.dir)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not harness.INPUTS:
        return
    for target, n in sorted(harness.INPUTS.items()):
        terminalreporter.write_line(
            f"fuzz: {target:<22} inputs = {n:>6,}, tracebacks = {harness.TRACEBACKS[target]}"
        )
    total, failed = sum(harness.INPUTS.values()), sum(harness.TRACEBACKS.values())
    terminalreporter.write_line(f"fuzz: inputs = {total:,}, tracebacks = {failed}")
