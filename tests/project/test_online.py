"""The whole loop on a made-up log: indices of two environments, shoppers in front of them, their log, the SQL of models/online, Table 6."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from llm_i2i.cli.main import cli
from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from llm_i2i.simulate import Recommend, http_recommender, index_recommender
from tests.project.test_reference_project import ROOT, build, write_log

TABLE_6 = ("RN", "L2P", "CTR", "CVR", "GMV", "Latency")


@contextmanager
def service(recommend: Recommend) -> Iterator[str]:
    """A recommender behind HTTP on loopback, as `llmi2i serve` would be; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            items = [{"item": item} for item in recommend(asked["items"], asked["k"])]
            body = json.dumps({"items": items} if self.path == "/recommend" else {}).encode()
            self.send_response(200 if self.path != "/broken" else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *details: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/recommend"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two environments: dev, and swing."""
    folder = tmp_path_factory.mktemp("online")
    vars = write_log(folder, users=300)
    build(folder, vars, select="+i2i_index_baseline +items")
    swing = Project.load(ROOT, vars={**vars, "recommender": "swing"}, target_path=folder / "target", env="swing")  # fmt: skip
    assert swing.build(select="+i2i_index_baseline +items").success
    return folder


def index_of(folder: Path, env: str) -> Recommend:
    project = Project.load(ROOT, target_path=folder / "target", env=env)
    _, rows = project.rows("select trigger_item_id, related_item_id, score from i2i_index_baseline")
    return index_recommender(*zip(*rows, strict=True))


def test_from_two_indices_to_table_6(shop: Path) -> None:
    place = ("--project-dir", ROOT, "--target-path", shop / "target")
    with service(index_of(shop, "swing")) as address:
        done = run(
            "simulate-shop", *place, "--out", shop / "logs", "--treatment", address,
            "--requests-a-day", "1", "-k", "60", "--output", "json",
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
    histories = [['it "3" ü', 'it "40" ü'], ['it "9" ü'], ["unknown"], []]
    with service(index) as address:
        with http_recommender(address) as ask:
            assert [ask(h, 7) for h in histories] == [index(h, 7) for h in histories]
        for page, problem in (("broken", "answers 500"), ("other", "no list of items")):
            with http_recommender(address.replace("recommend", page)) as ask, pytest.raises(LlmI2iError, match=problem):  # fmt: skip
                ask(["x"], 3)
    with http_recommender(address) as ask, pytest.raises(LlmI2iError, match="does not answer"):
        ask(["x"], 3)
    with pytest.raises(LlmI2iError, match="not the address"), http_recommender("i2i_index"):
        pass


def test_what_is_missing_is_named(shop: Path) -> None:
    place = ("--project-dir", ROOT, "--target-path", shop / "target", "--out", shop / "none")
    done = run("simulate-shop", *place, "--treatment", "i2i_index")
    assert done.exit_code != 0
    assert isinstance(done.exception, LlmI2iError)
    assert done.exception.what == "environment 'dev' has no table i2i_index"
    with service(lambda items, k: ["a foreign item"]) as address:
        done = run("simulate-shop", *place, "--treatment", address, "--users", "20")
    assert isinstance(done.exception, LlmI2iError)
    assert "the treatment arm recommends nothing" in done.exception.what
    assert not (shop / "none").exists()


def test_without_a_log_there_is_no_online_model() -> None:
    names = Project.load(ROOT).manifest.nodes
    assert not [n for n in names if n.startswith("online_") and not n.startswith("online__")]
