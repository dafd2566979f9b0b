"""`llmi2i build --seeds` on a made-up log with the fake language model."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import pytest
from click.testing import CliRunner, Result

from llm_i2i.cli.main import cli
from llm_i2i.errors import LlmI2iError
from llm_i2i.experiment.seeds import SeedMetric, spread
from llm_i2i.runner.project import Project
from tests.unit.test_experiment import make_project


def build(folder: Path, *options: str) -> Result:
    vars = {
        "interactions": f"{folder}/log.csv",
        "items": f"{folder}/items.csv",
        "language_model": "fake",
        "controls": [],
        "bootstrap_resamples": 100,
    }
    place = ["--project-dir", str(folder), "--vars", json.dumps(vars), "-s", "+metrics_summary"]
    return CliRunner().invoke(cli, ["build", *place, *options])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def built(folder: Path) -> Result:
    return build(folder, "--seeds", "42,43", "--log-format", "json")


def events(result: Result, name: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    return [line for line in lines if line["event"] == name]


def test_each_arm_has_median_and_spread(folder: Path, built: Result):
    assert built.exit_code == 0, built.stderr
    said = json.loads(built.stdout)
    own, other = (dict(zip(*_summary(folder, env), strict=True)) for env in ("dev", "dev-seed-43"))
    assert own.keys() == other.keys()
    found = {
        (row["recommender"], row["augmentation"]): row
        for row in said
        if row["metric"] == "recall_all"
    }
    assert found.keys() == own.keys()
    for arm, row in found.items():
        values = [own[arm], other[arm]]
        assert row["median"] == pytest.approx(median(values))
        assert (row["lowest"], row["highest"]) == (min(values), max(values))
        assert row["n_seeds"] == 2


def _summary(folder: Path, env: str) -> tuple[list[tuple[str, str]], list[float]]:
    _, rows = Project.load(folder, env=env).rows(
        "select recommender, augmentation, recall_all from metrics_summary"
    )
    return [(a, b) for a, b, _ in rows], [value for _, _, value in rows]


def test_what_does_not_depend_on_the_seed_is_built_once(built: Result):
    first, second = events(built, "build_finished")
    assert (first["env"], second["env"]) == ("dev", "dev-seed-43")
    nodes = events(built, "node_finished")
    half = len(nodes) // 2
    by_seed = [{n["node"]: n["status"] for n in part} for part in (nodes[:half], nodes[half:])]
    assert by_seed[0]["interactions_train"] == by_seed[0]["generator"] == "OK"
    assert by_seed[1]["interactions_train"] == "REUSED"
    assert by_seed[1]["generator"] == "OK"


def test_vars_of_the_command_line_hold_for_every_seed(folder: Path, built: Result):
    for env in ("dev", "dev-seed-43"):
        ((users,),) = Project.load(folder, env=env).rows("select count(*) from users")[1]
        assert users == 90  # the log of --vars, not the bundled one


def test_the_tables_can_be_queried(folder: Path, built: Result):
    there = Project.load(folder, env="dev-seeds")
    _, seeds = there.rows("select distinct random_seed from metrics_by_seed order by all")
    assert seeds == [(42,), (43,)]
    _, rows = there.rows("select * from metrics_spread")
    assert len(rows) == len(json.loads(built.stdout))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds", "42,x"], "seeds are whole numbers"),
        (["--seeds", ""], "no seed is given"),
        (["--seeds", "42", "-s", "users"], None),
        (["--seeds", "42", "--exclude", "metrics_summary"], "leaves out metrics_summary"),
    ],
)
def test_a_wrong_list_is_refused_before_anything_runs(
    folder: Path, options: list[str], said: str | None
):
    result = build(folder, *options, "--dry-run")
    if said is None:
        assert result.exit_code == 0
        return
    assert isinstance(result.exception, LlmI2iError)
    assert said in result.exception.what


def test_spread_over_seeds():
    rows = [SeedMetric("swing", "none", "standard", "recall_all", s, v) for s, v in ((1, 0.3), (2, 0.1), (3, 0.2))]  # fmt: skip
    (found,) = spread(rows)
    assert (found.median, found.lowest, found.highest, found.n_seeds) == (0.2, 0.1, 0.3, 3)
