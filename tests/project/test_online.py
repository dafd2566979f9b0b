"""The whole loop on a made-up log: two environments, a service for each, shoppers in front of them, their log, the SQL of models/online, Table 6."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llm_i2i.cli.main import cli
from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from llm_i2i.simulate import Recommend, http_recommender, index_recommender
from llm_i2i.store.environment import Environment, Pointer
from tests.project.services import service
from tests.project.test_reference_project import ROOT, build, write_log

INDEX = "i2i_index_baseline"  # what costs no language model is enough
TABLES = f"+{INDEX} +items +popular_items +serving_settings"
TABLE_6 = ("RN", "L2P", "CTR", "CVR", "GMV", "Latency")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two environments: dev, and swing, whose recommender is another one."""
    folder = tmp_path_factory.mktemp("online")
    vars = write_log(folder, users=300)
    build(folder, vars, select=TABLES)
    swing = Project.load(ROOT, vars={**vars, "recommender": "text_neighbours"}, target_path=folder / "target", env="swing")  # fmt: skip
    assert swing.build(select=TABLES).success
    return folder


def index_of(folder: Path, env: str) -> Recommend:
    project = Project.load(ROOT, target_path=folder / "target", env=env)
    _, rows = project.rows("select trigger_item_id, related_item_id, score from i2i_index_baseline")
    return index_recommender(*zip(*rows, strict=True))


def test_from_two_indices_to_table_6(shop: Path) -> None:
    place = ("--project-dir", ROOT, "--target-path", shop / "target")
    target = shop / "target"
    with service(target, INDEX) as (control, _), service(target, INDEX, "swing") as (treatment, _):
        done = run(
            "simulate-shop", *place, "--out", shop / "logs", "--requests-a-day", "1", "-k", "60", "--output", "json",
            "--control", f"{control}/recommend", "--treatment", f"{treatment}/recommend",
        )  # fmt: skip
    assert done.exit_code == 0, done.output
    truth = json.loads((shop / "logs/truth.json").read_text())
    assert truth["control"]["rn"] != truth["treatment"]["rn"]

    logs = {"online_logs": str(shop / "logs")}
    project = Project.load(ROOT, vars=logs, target_path=shop / "target", env="online")
    result = project.build(select="path:models/online")
    assert result.success
    assert {c.status for c in result.checks} == {"PASS"}
    _, rows = project.rows("select metric, difference, standard_error, change, change_lower, change_upper from online_effects where day = 'all'")  # fmt: skip
    effects = {metric: values for metric, *values in rows}
    for name in map(
        str.lower, TABLE_6
    ):  # of this seed; tests/unit/test_online_sql.py has the share of many
        *_, lower, upper = effects[name]
        assert lower <= truth["change"][name] <= upper, name
    for metric, (difference, error, *_) in effects.items():
        if metric in truth["control"]:
            true = truth["treatment"][metric] - truth["control"][metric]
            assert abs(difference - true) < 4 * error, metric

    experiment = run("experiment", "table6", *place, "--vars", json.dumps(logs), "-q", "--output", "json")  # fmt: skip
    assert experiment.exit_code == 0, experiment.output
    page = next((shop / "target/experiments").rglob("*.md")).read_text()
    lines = [line for line in page.splitlines() if line.startswith("| default")]
    assert len(lines) == 1
    cells = [cell.strip() for cell in lines[0].split("|")[2:-1]]
    published = (".0602", ".0080", ".0025", ".0011", ".0122", ".0037")
    for name, cell, paper in zip(TABLE_6, cells, published, strict=True):
        assert cell.endswith(f"*{paper}*")
        change, lower, upper = (float(v) for v in cell.split(" *")[0].replace("(", "").replace(")", "").split(", ".strip()) for v in v.split())  # fmt: skip
        assert (change, lower, upper) == pytest.approx(effects[name.lower()][2:], abs=6e-5)


def test_equal_seeds_write_equal_logs_and_equal_arms_have_no_effect(shop: Path) -> None:
    place = ("--project-dir", ROOT, "--target-path", shop / "target")
    for name, seed in (("one", "7"), ("other", "7"), ("third", "8")):
        done = run(
            "simulate-shop", *place, "--out", shop / name, "--treatment", "dev/i2i_index_baseline",
            "--seed", seed, "--users", "60", "--days", "3", "--days-before", "2",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    files = {name: {p.name: p.read_bytes() for p in (shop / name).iterdir()} for name in ("one", "other", "third")}  # fmt: skip
    assert files["one"] == files["other"]
    assert files["one"]["clicks.parquet"] != files["third"]["clicks.parquet"]
    assert set(json.loads(files["one"]["truth.json"])["change"].values()) == {0.0}


def test_a_service_answers_as_the_index_behind_it(shop: Path) -> None:
    index = index_of(shop, "dev")
    histories = [['it "3" ü', 'it "40" ü'], ['it "9" ü'], [f'it "{n}" ü' for n in range(10)]]
    with service(shop / "target", INDEX) as (url, _):
        with http_recommender(f"{url}/recommend") as ask:
            assert [ask(h, 7) for h in histories] == [index(h, 7) for h in histories]
            assert ask(["unknown"], 7) == ask([], 7) != []  # popular items
            with pytest.raises(LlmI2iError, match="answers 422"):
                ask(["x"], 0)
        with http_recommender(f"{url}/health") as ask, pytest.raises(LlmI2iError, match="answers 405"):  # fmt: skip
            ask(["x"], 3)
    with http_recommender(url) as ask, pytest.raises(LlmI2iError, match="does not answer"):
        ask(["x"], 3)
    with pytest.raises(LlmI2iError, match="not the address"), http_recommender("i2i_index"):
        pass


def test_a_shop_learns_from_its_own_lists(shop: Path) -> None:
    place = (
        "--project-dir",
        ROOT,
        "--target-path",
        shop / "target",
        "--users",
        "60",
        "--rounds",
        "3",
    )
    done = run("simulate-loop", *place, "--output", "json")
    assert done.exit_code == 0, done.output
    rounds = json.loads(done.stdout)
    assert [row["round"] for row in rounds] == [1, 2, 3]
    assert all(0 < row["coverage"] <= 1 for row in rounds)
    assert all(0 < row["long_tail_share"] < 1 for row in rounds)
    frozen = json.loads(run("simulate-loop", *place, "--frozen", "--output", "json").stdout)
    assert frozen[0] == rounds[0]
    assert frozen[2] != rounds[2]


def test_what_is_missing_is_named(shop: Path) -> None:
    place = ("--project-dir", ROOT, "--target-path", shop / "target", "--out", shop / "none")
    done = run("simulate-shop", *place, "--treatment", "i2i_index")
    assert done.exit_code != 0
    assert isinstance(done.exception, LlmI2iError)
    assert done.exception.what == "environment 'dev' has no table i2i_index"
    foreign = (
        "select 'foreign' as trigger_item_id, 'other' as related_item_id, 1.0 as score, 1 as rank"
    )
    Environment(shop / "target", "foreign").publish({INDEX: Pointer("foreign", foreign)})
    with service(shop / "target", INDEX, "foreign") as (url, _):
        done = run("simulate-shop", *place, "--control", INDEX, "--treatment", f"{url}/recommend", "--users", "20")  # fmt: skip
    assert isinstance(done.exception, LlmI2iError)
    assert "the treatment arm recommends nothing" in done.exception.what
    assert not (shop / "none").exists()


def test_without_a_log_there_is_no_online_model() -> None:
    names = Project.load(ROOT).manifest.nodes
    assert not [n for n in names if n.startswith("online_") and not n.startswith("online__")]
