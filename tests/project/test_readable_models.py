"""A table's file holds its query: what keeps the models readable, as numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "models").rglob("*.sql"))
MACROS = sorted((ROOT / "project" / "macros").rglob("*.sql"))
_MACRO = re.compile(r"\{%-? (?:macro|test) (\w+).*?\{%-? end(?:macro|test) -?%\}", re.DOTALL)


def own_sql(text: str) -> str:
    """A model's text without comments of SQL and Jinja, and without what stands in Jinja's braces."""
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    return re.sub(r"--.*", "", text)


def test_a_model_file_contains_its_query() -> None:
    without = [
        path.name for path in MODELS if not re.search(r"\bselect\b", own_sql(path.read_text()))
    ]
    assert len(without) <= 0.05 * len(MODELS), without


def test_there_are_few_model_files() -> None:
    assert 40 < len(MODELS) <= 120


def test_macros_are_words_and_no_stories() -> None:
    assert sum(len(path.read_text().splitlines()) for path in MACROS) <= 1200
    found = {match[1]: match[0] for path in MACROS for match in _MACRO.finditer(path.read_text())}
    assert len(found) > 20
    stories = {
        name: len(text.splitlines())
        for name, text in found.items()
        if re.search(r"\bfrom\b", own_sql(text)) and len(text.splitlines()) > 25
    }
    assert not stories


@pytest.mark.parametrize("path", [*MODELS, *MACROS], ids=lambda path: path.name)
def test_conditions_compare_no_text_with_true(path: Path) -> None:
    assert not re.search(r"==\s*['\"](true|false)['\"]", path.read_text())
