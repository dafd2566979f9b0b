"""The project of tests/project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project.conftest import ShopProject


@pytest.fixture
def shop(tmp_path: Path) -> ShopProject:
    return ShopProject(tmp_path / "shop")
