"""Small inputs that were once read wrongly, where they lie beside the checkout. The same kinds, written by tests: tests/unit/runner/test_source_types.py."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project

ROOT = Path(__file__).parents[2]
CASES = next(
    (p for p in (ROOT / "shared" / "cases", ROOT.parent / "shared" / "cases") if p.is_dir()), None
)
pytestmark = pytest.mark.skipif(CASES is None, reason="needs the folder shared/cases")

EVENTS = "select user_id, item_id, order_value from log_events order by user_id, order_value"
IDS = "select distinct item_id from log_events order by 1"
TEXTS = "select item_id, title, category from items order by 1"
FINDINGS = "select finding, n, example from log_report where finding in ('dominant_user', 'mixed_time_units', 'order_is_text', 'repeated_items') order by 1"


def rows(folder: Path, log: str, query: str, select: str, **vars: Any) -> list[tuple[Any, ...]]:
    assert CASES is not None
    given = {k: str(CASES / v) if k == "items" and v else v for k, v in vars.items()}
    vars = {"language_model": "fake", "items": None, "interactions": str(CASES / log), **given}
    project = Project.load(ROOT, vars=vars, target_path=folder / "target")
    result = project.build(select=select)
    assert result.published, [c.messages for c in result.checks if c.status == "FAIL"]
    return project.rows(query)[1]


@pytest.mark.parametrize(
    ("log", "vars", "expected"),
    [
        ("sku_decimal.csv", {}, ["100.1", "100.10", "100.2"]),
        ("sku_dates.csv", {}, ["01-02-03", "10-11-12", "25-12-10"]),
        ("sku_dates.jsonl", {}, ["10-11-2012", "25-12-2010"]),
        ("mixed_ids.jsonl", {}, ["007", "7", "A7"]),
        ("float_ids.csv", {}, [12, 13, 14]),
        ("latin1.csv", {"encoding": "latin-1"}, ["b", "café"]),
        ("utf16.csv", {}, list("abcdef")),
        ("mixed_newlines.csv", {}, ["a", "b"]),
        ("mixed_newlines2.csv", {}, ["a", "b"]),
    ],
)
def test_ids(tmp_path: Path, log: str, vars: dict[str, Any], expected: list[Any]) -> None:
    assert [item for (item,) in rows(tmp_path, log, IDS, "+log_events", **vars)] == expected


def test_uuids(tmp_path: Path) -> None:
    found = rows(tmp_path, "uuid_ids.jsonl", EVENTS, "+log_events")
    assert ("cadff918-c41a-66d9-82fa-4d7a28d2e08e", "77cab1f9-5e42-e3e0-a8a6-217585f049fe", 1600000000) in found  # fmt: skip


@pytest.mark.parametrize(
    ("log", "order_format"),
    [("two_digit_year.csv", "%d.%m.%y"), ("two_digit_year_hm.csv", "%d/%m/%y %H:%M")],
)
def test_times(tmp_path: Path, log: str, order_format: str) -> None:
    ((finding, n, _),) = rows(tmp_path, log, FINDINGS, "+log_report", dominant_user_share=1)
    assert finding == "order_is_text"
    query = "select item_id from interactions order by user_id, position"
    found = rows(tmp_path / "2", log, query, "+interactions", order_format=order_format)
    assert [item for (item,) in found] == ["first", "second", "third"] * (n // 3)


@pytest.mark.parametrize(
    ("log", "items", "expected"),
    [
        ("mixed_ids.jsonl", "mixed_items.csv", [("007", "Bond", None), ("7", "Seven", None), ("A7", "Letter", None)]),
        ("float_ids.csv", "float_items.csv", [(12, "Red", None), (13, "Green", None), (14, "Blue", None)]),
        ("list_text_log.csv", "list_text.jsonl", [("a", None, None), ("b", None, None), ("c", "Soap", "Beauty > Hair > Care")]),
        ("guest.csv", "dup_items.csv", [("a", "Red kite", "Toys"), *((item, None, None) for item in "bcdef")]),
    ],
)  # fmt: skip
def test_items(tmp_path: Path, log: str, items: str, expected: list[Any]) -> None:
    assert rows(tmp_path, log, TEXTS, "+items", items=items) == expected


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("guest.csv", ("dominant_user", 6, "user 0")),
        ("mixed_units.csv", ("mixed_time_units", 1, "1700000000000 and 1700000100")),
    ],
)
def test_findings(tmp_path: Path, log: str, expected: Any) -> None:
    assert expected in rows(tmp_path, log, FINDINGS, "+log_report")


def test_empty_ids_are_none(tmp_path: Path) -> None:
    query = "select user_id, item_id, problem from log_events order by problem nulls first"
    found = rows(tmp_path, "empty_user.jsonl", query, "+log_events", max_rejected_share=0.8)
    assert found[:2] == [("u1", "a", None), ("u1", None, "no item")]
    assert [problem for _, _, problem in found[2:]] == ["no user"] * 3


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProjectError, match="not in the encoding utf-8") as error:
        rows(tmp_path, "latin1.csv", IDS, "+log_events")
    assert error.value.where.endswith("latin1.csv:2:7")
    assert CASES is not None
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(CASES / "parquet_types.py"))
    with pytest.raises(ProjectError, match="different types in column 'item_id'"):
        rows(tmp_path, str(tmp_path / "p" / "*.parquet"), IDS, "+log_events")
