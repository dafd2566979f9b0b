"""The reference project's own unit tests: they pass on any log, whatever the vars, and can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llm_i2i.graph.unit_tests import render_unit_check
from llm_i2i.runner.build.unit_tests import run_unit_checks
from llm_i2i.runner.project import Project
from tests.project.test_reference_project import ROOT, write_log


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("log")
    return Project.load(ROOT, vars=write_log(folder, users=3), target_path=folder / "target")


def test_they_pass(project: Project) -> None:
    outcomes = project.test("test_type:unit")
    assert len(outcomes) >= 7
    assert {o.check.name: o.status for o in outcomes if o.status != "PASS"} == {}


@pytest.mark.slow
def test_they_pass_where_ids_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,position\n1,10,0\n1,11,1\n2,10,0\n")
    (tmp_path / "items.csv").write_text("item_id,title\n10,kite\n11,drum\n")
    vars = {
        "interactions": str(tmp_path / "log.csv"),
        "items": str(tmp_path / "items.csv"),
        "order_column": "position",
        "language_model": "fake",
    }
    outcomes = Project.load(ROOT, vars=vars, target_path=tmp_path / "target").test("test_type:unit")
    assert {o.status for o in outcomes} == {"PASS"}


def test_each_fails_when_a_row_is_missing(project: Project) -> None:
    checks = project.manifest.unit_checks
    wrong = [
        replace(c, expect=replace(c.expect, rows=c.expect.rows[1:], places=c.expect.places[1:]))
        for c in checks
    ]
    outcomes = list(run_unit_checks(wrong, project.planner.unit_test_context(), force=True))
    assert {o.status for o in outcomes} == {"FAIL"}
    assert all("1 unexpected" in o.diff for o in outcomes)


def test_each_says_every_var_its_model_reads(project: Project) -> None:
    """Or a build with other vars would fail for no fault of its own."""
    renderer = project.renderer
    for check in project.manifest.unit_checks:
        node = render_unit_check(check, project.manifest.nodes[check.model], renderer, project.dir)
        # what only decides which other instances of the file there are, and may be missing with its part.
        of_parts = {"attribution", "controls", "filter_real", "llm_cf", "others_folds"}
        assert set(node.inputs["vars"]) - of_parts <= set(check.vars), check.name
