"""`llmi2i report`: a page of queries on what is published; of the reference project, and of any other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.cli.report import render_report
from llm_i2i.config.report import load_report
from llm_i2i.errors import ProjectError
from llm_i2i.runner.inspection.report import report_sections
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject
from tests.project.test_reference_project import ROOT

SECTIONS = """
sections:
  - {name: Sentences, query: "select 'R&D <b>' as said from {{ ref('kept') }} limit 1"}
  - name: A chart
    query: select user_id as who, score, score - 1 as low, score + 1 as high from {{ ref('kept') }} order by 1
    chart: {kind: intervals, x: score, lower: low, upper: high, label: who}
  - {name: Nobody, query: "select 1 as a, 2 as b where false", empty: There is nobody.}
  - {name: Elsewhere, query: from not_there}
  - {name: Many, query: "select range as n, range as m from range(300)"}
"""


@pytest.fixture
def built(shop: ShopProject) -> ShopProject:
    assert Project.load(shop.dir).build().published
    shop.write("project/report.yml", SECTIONS)
    return shop


def test_each_section_is_its_query(built: ShopProject) -> None:
    pytest.importorskip("matplotlib")
    shown = report_sections(Project.load(built.dir))
    assert [one.section.name for one in shown] == ["Sentences", "A chart", "Nobody", "Elsewhere", "Many", "Calls of language models"]  # fmt: skip
    assert "not_there" in shown[3].problem
    assert (len(shown[4].rows), shown[4].left_out) == (200, True)
    page = render_report(shown, "shop", "dev")
    assert "<p>R&amp;D &lt;b&gt;</p>" in page
    assert "There is nobody." in page
    assert "The first 200 rows." in page
    assert page.count("<svg") == 1
    # A row for each user, in the table and in the chart.
    names = {str(row[0]) for row in shown[1].rows}
    drawn = set(re.findall(r">([^<>]+)</text>", page))
    assert names <= drawn
    assert page == render_report(report_sections(Project.load(built.dir)), "shop", "dev")


def test_the_command_writes_a_page(built: ShopProject) -> None:
    done = built.run("report", timeout=120)
    assert done.returncode == 0, done.stderr
    assert (built.dir / "target" / "report.html").read_text().startswith("<!doctype html>")
    done = built.run(
        "report", "--file", str(built.dir / "data" / "log.csv" / "report.html"), timeout=120
    )
    assert done.returncode != 0
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sections: [{name: a, query: select 1, chart: {kind: bars, x: n, label: m}}]", "reads a column that its query does not have"),
        ("sections: [{name: a, query: select 1, chart: {kind: points, x: n, label: m}}]", "a chart of kind points needs y"),
        ("sections: [{name: a, qeury: select 1}]", "unknown key 'qeury'"),
        ("sections: [{name: a, query: select 1, chart: {kind: pie, x: n, label: m}}]", "pie"),
    ],
)  # fmt: skip
def test_mistakes_are_named(built: ShopProject, text: str, said: str) -> None:
    built.write("project/report.yml", text)
    with pytest.raises(ProjectError) as raised:
        report_sections(Project.load(built.dir))
    assert said in str(raised.value)
    assert "report.yml" in raised.value.where or "report.yml" in str(raised.value)


def test_a_project_without_a_report_says_so(shop: ShopProject) -> None:
    with pytest.raises(ProjectError, match="has no report"):
        report_sections(Project.load(shop.dir))


def test_every_section_of_the_reference_project_has_its_table(
    reference_shop: tuple[Path, dict[str, Any]],
) -> None:
    folder, vars = reference_shop
    project = Project.load(ROOT, vars=vars, target_path=folder / "target")
    shown = report_sections(project)
    assert {one.section.name: one.problem for one in shown if one.problem} == {}
    by_name = {one.section.name: one for one in shown}
    events = project.query("select count(*) from interactions").fetchall()[0][0]
    assert by_name["The log"].rows[0][2] == events
    neighbours = by_name["Neighbours of long-tail items"]
    assert all(before != after for _, before, after in neighbours.rows)


def test_the_report_of_the_reference_project_can_be_read() -> None:
    assert len(load_report(ROOT / "project" / "project.yml", ROOT).sections) >= 8
