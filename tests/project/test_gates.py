"""Gates: an environment stays where it is until a gain is sure."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.build.events import CheckOutcome
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

DIFFERENCES = """
    select
        'swing' as recommender, 'llm_i2i' as augmentation, against, 'test' as split, segment, 'recall' as metric, 10 as k,
        value, other_value, value - other_value as difference, lower, upper
    from (values
        ('none', 'long_tail', {{ var('recall') }}, 0.20, {{ var('recall') }} - 0.23, {{ var('recall') }} - 0.17),
        ('best_without_language_model', 'long_tail', {{ var('recall') }}, 0.24, 0.001, 0.01),
        ('none', 'all', 0.1, 0.0, 0.05, 0.15),
        ('none', 'other', 0.0, 0.0, -0.01, 0.01)
    ) as rows(against, segment, value, other_value, lower, upper)
"""
GATE = "{metric: recall, k: 10, segment: long_tail, over: baseline, min_uplift: 0.0, ci: bootstrap, recommender: swing}"


@pytest.fixture
def gated(tmp_path: Path) -> ShopProject:
    shop = ShopProject(tmp_path)
    shop.write("models/models.yml", "models: []\n")
    shop.replace("project/project.yml", "threshold: 0.5", "threshold: 0.5, recall: 0.26")
    shop.write("models/paired_differences.sql", DIFFERENCES)
    shop.write(
        "models/ranking_metrics.sql",
        "select recommender, augmentation, split, segment, metric, k, value from {{ ref('paired_differences') }} where against = 'none'",
    )
    return shop


def judged(shop: ShopProject, *gates: str) -> list[CheckOutcome]:
    tests = ", ".join(f"ranking_metric_at_least: {gate}" for gate in gates)
    shop.write("models/models.yml", f"models: [{{name: ranking_metrics, data_tests: [{tests}]}}]\n")
    return Project.load(shop.dir).build("ranking_metrics paired_differences").checks


def test_a_failing_gate_leaves_the_environment_where_it_was(gated: ShopProject) -> None:
    assert [check.status for check in judged(gated, GATE)] == ["PASS"]
    pointers = gated.dir / "target/envs/dev.json"
    before = pointers.read_text(), (gated.dir / "target/dev.duckdb").read_bytes()
    # recall still rises, from .20 to .22, but the interval goes below the baseline.
    done = gated.run(
        "build", "-s", "ranking_metrics paired_differences", "--vars", "{recall: 0.22}"
    )
    assert done.returncode == 1
    assert "FAIL data test ranking_metric_at_least_ranking_metrics" in done.stderr
    assert (
        "recall@10 of swing with llm_i2i (test, long_tail): 0.2200, over baseline 0.2000:"
        " uplift +10.0%, lower bound -5.0%, at least +0.0% wanted"
    ) in done.stderr
    assert "Environment 'dev' stays as it was." in done.stderr
    assert (pointers.read_text(), (gated.dir / "target/dev.duckdb").read_bytes()) == before
    rows = Project.load(gated.dir).rows(
        "select value from ranking_metrics where segment = 'long_tail'"
    )[1]
    assert float(rows[0][0]) == 0.26


CHANGES = [  # what is changed of GATE, and what comes of it
    (("min_uplift: 0.0", "min_uplift: 0.14"), "PASS"),  # the lower bound is .03 over .20
    (("min_uplift: 0.0", "min_uplift: 0.16"), "FAIL"),
    (("min_uplift: 0.0, ci: bootstrap", "min_uplift: 0.16"), "PASS"),  # the uplift is .06
    (("over: baseline", "over: best_without_language_model"), "PASS"),
    (("over: baseline, min_uplift: 0.0", "over: best_without_language_model, min_uplift: 0.01"), "FAIL"),
    (("segment: long_tail", "segment: all"), "PASS"),  # the baseline has 0
    (("segment: long_tail", "segment: other"), "FAIL"),
    (("segment: long_tail", "segment: nobody"), "FAIL"),  # no such row
    (("over: baseline", "over: swing_pot"), "FAIL"),
    (("recommender: swing", "recommender: swng"), "FAIL"),
    (("over: baseline, min_uplift: 0.0, ci: bootstrap", "at_least: 0.25"), "PASS"),
    (("over: baseline, min_uplift: 0.0, ci: bootstrap", "at_least: 0.27"), "FAIL"),
]  # fmt: skip


def test_what_passes(gated: ShopProject) -> None:
    gates = []
    for number, ((old, new), _) in enumerate(CHANGES):
        assert old in GATE
        gates.append(GATE.replace(old, new).replace("{", f"{{name: gate{number}, ", 1))
    found = judged(gated, *gates)
    assert [check.error for check in found if check.error] == []
    assert [check.status for check in found] == [status for _, status in CHANGES]
    assert all(bool(check.messages) == (check.status == "FAIL") for check in found)


@pytest.mark.parametrize(
    ("gate", "what"),
    [
        ("{segment: all}", "needs at_least, ratio or over"),
        ("{over: baseline, ci: normal}", "takes ci: bootstrap"),
        ("{at_least: 0.1, ci: bootstrap}", "ci without over"),
        ("{over: baseline, at_least: 0.1}", "write two tests"),
    ],
)
def test_a_gate_that_says_nothing(gated: ShopProject, gate: str, what: str) -> None:
    with pytest.raises(ProjectError, match=what):
        judged(gated, gate)
