"""project/docs/guarantees.md: every promise names tests, and they are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "project/docs/guarantees.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises() -> list[str]:
    """The rows of the page's tables, without heads."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [row for row in rows if not row.startswith("| ---") and "held by |" not in row]


def test_every_promise_names_a_test() -> None:
    rows = promises()
    assert len(rows) > 30
    assert not [row for row in rows if not NAMED.search(row.split("|")[-2])]


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED.findall(PAGE.read_text())}))
def test_named_tests_are_there(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    wanted = {test for other, test in NAMED.findall(PAGE.read_text()) if other == file}
    assert wanted <= there
