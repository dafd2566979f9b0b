"""Somebody's own log, end to end: raw Amazon lines, odd column names, what log_report says of it and where it is shown."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project
from tests.project.test_reference_project import build

ROOT = Path(__file__).parents[2]
DAY = 86400


def write_amazon(folder: Path, *, python: bool, extra: str = "") -> dict[str, Any]:
    """Reviews and metadata as published, as Python literals (2014) or JSON (2018); vars to read them."""
    draw = random.Random(3)
    written = repr if python else json.dumps
    reviews, products = [], []
    for user in range(120):
        start = draw.randrange(60)
        for event in range(draw.choice([1, 3, 5, 6, 8])):
            product = (start + int(draw.expovariate(0.3))) % 70
            reviews.append(
                {
                    "reviewerID": f"A{user:04}",
                    "asin": f"B{product:04}",
                    "reviewerName": 'O\'Neil "Jr"',
                    "helpful": [0, 1],
                    "reviewText": "line\nbreak, 'quotes' and {braces}",
                    "overall": 4.0,
                    "unixReviewTime": (16071 + event // 2) * DAY,
                    "reviewTime": "01 1, 2014",
                }
            )
    for product in range(90):  # 70 to 89 were never reviewed
        record: dict[str, Any] = {
            "asin": f"B{product:04}",
            "title": f"Kite {product % 9} &amp; the {product % 4}' winds",
            "price": 3.17,
            "related": {"also_bought": ["B0001"]},
        }
        path = ["Toys & Games", f"Kind {product % 5}"]
        record |= {"categories": [path, ["Other"]]} if python else {"category": path}
        if product % 3:
            record["brand"] = "O'Wind"
        products.append(record)
    names = {}
    for name, records in (("interactions", reviews), ("items", products)):
        path = folder / f"{name}.json.gz"
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write("".join(written(record) + "\n" for record in records))
            file.write(extra)
        names[name] = str(path)
    return {"log_format": "amazon", "language_model": "fake", **names}


@pytest.mark.parametrize("python", [True, False])
def test_raw_amazon_lines_become_a_log(tmp_path: Path, python: bool) -> None:
    vars = write_amazon(tmp_path, python=python)
    project = build(tmp_path, vars, select="+index_swing_plain +log_report")
    _, rows = project.rows(
        "select user_id, item_id, timestamp, rating from amazon_reviews order by user_id limit 1"
    )
    assert rows[0][0] == "A0000"
    assert rows[0][2:] == (16071 * DAY, 4.0)
    _, rows = project.rows(
        "select title, brand, category from items where item_id in ('B0003', 'B0004') order by item_id"
    )
    assert rows == [
        ("Kite 3 & the 3' winds", None, "Toys & Games > Kind 3"),
        ("Kite 4 & the 0' winds", "O'Wind", "Toys & Games > Kind 4"),
    ]
    _, rows = project.rows(
        "select count(*), count(*) filter (item_number in (select item_number from interactions)) from items"
    )
    assert rows[0][0] == rows[0][1] <= 70, "only items that were reviewed"
    _, rows = project.rows("select finding from log_report where level = 'warning'")
    assert {"day_granular_times", "tied_order"} <= {finding for (finding,) in rows}
    assert project.rows("select count(*) from index_swing_plain")[1][0][0] > 0


def test_lines_that_cannot_be_read_stop_the_build_or_are_counted(tmp_path: Path) -> None:
    vars = write_amazon(tmp_path, python=True, extra="{'asin': 'B0001', 'cut off\n\n")
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    result = project.build(select="+log_report")
    messages = {c.check.name: c.messages for c in result.checks if c.status == "FAIL"}
    assert messages["log_rows_have_user_item_and_order"][0].startswith("1 of 530 rows have neither user nor item; max_rejected_share: ")  # fmt: skip
    assert messages["lines_are_readable_amazon_items"] == (
        "cannot read: {'asin': 'B0001', 'cut off",
    )
    assert not result.published
    project = build(tmp_path, {**vars, "max_rejected_share": 0.02}, select="+log_report")
    _, rows = project.rows("select n, level from log_report where finding = 'rejected_rows'")
    assert rows == [(1, "warning")]
    _, rows = project.rows("select malformed_line from amazon_reviews where malformed_line is not null")  # fmt: skip
    assert rows == [("{'asin': 'B0001', 'cut off",)]


CLICKS = """besucher;artikel nr;wann
anna;007;2024-03-01 10:00:00
anna;008;2024-03-01 10:05:00
anna;007;2024-03-02 09:00:00
ben;007;2024-03-01 11:00:00
ben;009;2024-03-03 11:00:00
ben;008;2024-03-04 11:00:00
"""


def write_clicks(folder: Path) -> dict[str, Any]:
    (folder / "clicks.csv").write_text(CLICKS)
    (folder / "goods.csv").write_text("sku,name\n007,Kite\n008,Drum\n")
    return {
        "interactions": str(folder / "clicks.csv"),
        "items": str(folder / "goods.csv"),
        "user_column": "besucher",
        "item_column": "artikel nr",
        "order_column": "wann",
        "item_columns": {"item_id": "sku", "title": "name"},
        "language_model": "fake",
    }


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    vars = write_clicks(tmp_path) | {"user_column": "besuch"}
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    with pytest.raises(ProjectError, match="has no column 'besuch'") as error:
        project.build(select="+log_report")
    assert "user_column" in error.value.fix
    assert "besucher" in error.value.fix


@pytest.mark.parametrize(("line", "fields"), [("v,007", 2), ("v,007,2024-03-01 10:00:00,more", 4)])
def test_a_line_of_another_length_is_an_error(tmp_path: Path, line: str, fields: int) -> None:
    vars = write_clicks(tmp_path)
    text = CLICKS.replace(";", ",") + line + "\n"
    (tmp_path / "clicks.csv").write_text(text)
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    with pytest.raises(ProjectError, match="has a broken line") as error:
        project.build(select="+log_report")
    assert error.value.where == str(tmp_path / "clicks.csv")
    assert (
        error.value.found == f"line {len(text.splitlines())}: {fields} fields, the first line has 3"
    )


LATE = 25_000  # beyond the 20,480 lines that DuckDB looks at by itself
NAMES = {"user_column": "user", "item_column": "item", "order_column": "at", "items": None}


def long_log(folder: Path, line: str) -> Project:
    """A project on a log with this line far below."""
    rows = [f"{n % 900},{n % 50},{n}" for n in range(LATE + 1000)]
    rows[LATE - 2] = line
    (folder / "log.csv").write_text("\n".join(["user,item,at", *rows]))
    vars = {"interactions": str(folder / "log.csv"), **NAMES}
    return Project.load(ROOT, vars=vars, target_path=folder / "target")


def test_a_line_far_below_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="has a broken line") as error:
        long_log(tmp_path, "1,7,1,more").build("log_events")
    assert error.value.found == f"line {LATE}: 4 fields, the first line has 3"


def test_ids_are_text_where_one_far_below_is(tmp_path: Path) -> None:
    project = long_log(tmp_path, "1,SKU-7,1")
    assert project.build("log_events").success
    found = project.rows("select typeof(any_value(item_id)), count(*) from log_events")[1]
    assert found == [("VARCHAR", LATE + 1000)]


def test_types_are_guessed_from_all_files(tmp_path: Path) -> None:
    for n in range(12):  # DuckDB looks at ten by itself
        (tmp_path / f"{n:02}.csv").write_text("user,item,at\n1,7,1\n" + "1,SKU,2\n" * (n == 11))
    vars = {"interactions": str(tmp_path / "*.csv"), **NAMES}
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    assert project.build("log_events").success
    found = project.rows("select typeof(any_value(item_id)), count(*) from log_events")[1]
    assert found == [("VARCHAR", 13)]
    (tmp_path / "11.csv").write_text("user,item,at\n1,7,1\n1,8,2,3\n")
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    with pytest.raises(ProjectError, match=r"source log\.interactions has a broken line") as error:
        project.build("log_events")
    assert error.value.where == str(tmp_path / "11.csv")
    assert error.value.found == "line 3: 4 fields, the first line has 3"


def test_a_header_that_comes_again_is_no_event(tmp_path: Path) -> None:
    vars = write_clicks(tmp_path)
    header = CLICKS.splitlines()[0]
    (tmp_path / "clicks.csv").write_text(CLICKS + header + "\n")
    result = Project.load(ROOT, vars=vars, target_path=tmp_path / "target").build("+first_events")
    (failed,) = [c for c in result.checks if c.status == "FAIL"]
    assert failed.messages == (
        "1 of 7 rows have the header once more; max_rejected_share: 0.143 would leave them out",
    )
    share = {**vars, "max_rejected_share": 0.2}
    project = Project.load(ROOT, vars=share, target_path=tmp_path / "target")
    assert project.build("+first_events").success
    assert project.rows("select count(*) from first_events where user_id = 'besucher'")[1] == [(0,)]


def test_a_broken_line_of_json_is_named(tmp_path: Path) -> None:
    lines = ['{"user_id": "a", "item_id": "x", "position": 0}', '{"user_id": oops']
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    vars = {"interactions": str(tmp_path / "log.jsonl"), "items": None}
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    with pytest.raises(ProjectError, match="has a broken line") as error:
        project.build(select="+log_report")
    assert error.value.found == "line 2, column 13: Expecting value"


def test_ids_of_two_kinds_are_an_error(tmp_path: Path) -> None:
    vars = write_clicks(tmp_path)
    (tmp_path / "goods.csv").write_text("sku,name\n7,Kite\n8,Drum\n")
    result = Project.load(ROOT, vars=vars, target_path=tmp_path / "target").build(
        select="+log_report"
    )
    (failed,) = [c for c in result.checks if c.status == "FAIL"]
    assert failed.check.name == "ids_of_one_kind_log_items"
    assert failed.messages[0].startswith(
        "2 of 3 items of the log are in the items file only but for leading zeros"
    )


def test_warnings_stand_at_the_end_of_a_build(tmp_path: Path) -> None:
    vars = write_clicks(tmp_path)
    command = [sys.executable, "-m", "llm_i2i", "build", "--select", "+log_report"]
    command += ["--vars", json.dumps(vars), "--target-path", str(tmp_path / "target")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert run.returncode == 0, run.stderr
    end = run.stderr[run.stderr.index("created log_report") :]
    for message in (
        "few_users: 2 of 2 users (100.0%)",
        "few_items: 3 of 3 items (100.0%)",
    ):
        assert message in end
    assert " FAIL=0 ERROR=0" in end
    assert "repeated_pairs" not in end, "a note, not a warning"
