"""A new user's path: the wheel in a new environment outside the repository, a new project, a build, an edit, its plan and cost,
a unit test with a mocked language model, docs, diff, promote, rollback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built without network: hatchling comes with the extra dev."""
    folder = tmp_path_factory.mktemp("dist")
    run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)], ROOT)
    (built,) = folder.glob("*.whl")
    return built


class User:
    """Somebody with a new environment that holds the wheel, and in which nothing of the repository is importable."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv" / "bin"
        run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], folder)
        python = str(self.bin / "python")
        run([*PIP, "--python", python, "install", "--no-deps", "--no-index", str(wheel)], folder)
        (packages,) = (folder / "venv/lib").glob("python*/site-packages")
        # the base dependencies, as this environment has them, behind the new one's own packages: quick, and without network.
        borrowed = [path for path in sys.path if path.endswith("site-packages")]
        (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")

    def llmi2i(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return run([str(self.bin / "llmi2i"), *arguments], self.folder, code)

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.llmi2i(*arguments, "--output", "json").stdout)
        return rows


def run(command: list[str], folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_wheel_carries_one_project_and_no_rubbish(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    carried = [name for name in names if name.startswith("llm_i2i/scaffold/")]
    assert "llm_i2i/scaffold/project/seeds/interactions.csv.gz" in carried
    assert "llm_i2i/scaffold/models/index/i2i_index.sql" in carried
    assert not [name for name in names if "__pycache__" in name or "/target/" in name]
    assert len(names) == len(set(names))


MOCKED = """
unit_tests:
  - name: my_mocked_model_is_believed
    model: scored_interactions
    given:
      - input: ref('candidate_signals')
        rows:
          - {user_id: 1, item_id: 10, rank: 1, log_probability: -0.5, generator_call: g1, user_number: 0, item_number: 0}
      - {input: ref('signal_bucket_edges'), rows: [{}]}
      - {input: ref('labelled_candidates'), rows: [{is_hit: true, weight: 1}, {is_hit: false, weight: 1}]}
      - {input: ref('discriminator'), rows: [{checkpoint: the discriminator}]}
      - input: udf('score_interaction')
        rows: [{prompt: the prompt, returns: {confidence: 0.75, margin: 1.0986122886681098}, call_key: d1}]
    expect:
      rows: [{user_id: 1, item_id: 10, confidence: %s, label: 'Yes'}]
    overrides:
      vars: {discriminator: signals, judge: small, daily: false}
      macros: {signals_prompt: "'the prompt'"}
"""


def test_from_install_to_a_rollback(wheel: Path, tmp_path: Path) -> None:
    user = User(tmp_path, wheel)
    where = [str(user.bin / "python"), "-c", "import llm_i2i; print(llm_i2i.__file__)"]
    assert str(tmp_path) in run(where, tmp_path).stdout

    user.llmi2i("init", "shop")
    user.folder = tmp_path / "shop"
    settings = user.folder / "project" / "project.yml"
    text = settings.read_text()
    assert "\n  language_model: small " in text
    settings.write_text(text.replace("\n  language_model: small ", "\n  language_model: fake "))
    debug = {(f["section"], f["name"]): f for f in user.json("debug")}
    assert debug["project", "name"]["detail"].startswith("shop ")

    goal = ("--select", "+i2i_index")
    first = {row["node"]: row["action"] for row in user.json("plan", *goal)}
    assert first["item_long_tail"] == first["i2i_index"] == "build"
    built = user.llmi2i("build", *goal)
    assert "Published environment 'dev'." in built.stderr
    index = user.json("query", "select count(*) as n from i2i_index")
    assert index[0]["n"] > 1000
    assert {row["action"] for row in user.json("plan", *goal)} <= {"reuse", "view"}

    text = settings.read_text()
    settings.write_text(text.replace("\nvars:\n", "\nvars:\n  long_tail_fraction: 0.3\n", 1))
    changed = {row["node"]: row for row in user.json("plan", *goal)}
    assert changed["item_long_tail"]["reason"] == "var long_tail_fraction changed"
    assert changed["interactions_train"]["action"] == "reuse"
    assert changed["generator"]["action"] == changed["i2i_index"]["action"] == "build"
    assert "input" in changed["i2i_index"]["reason"]
    assert (
        changed["generator"]["calls"] is None or changed["generator_prompts"]["action"] == "build"
    )

    (user.folder / "models" / "mine.yml").write_text(MOCKED % "0.5")
    failed = user.llmi2i("test", "-s", "unit_test:my_mocked_model_is_believed", code=1)
    assert "0.75" in failed.stderr
    (user.folder / "models" / "mine.yml").write_text(MOCKED % "0.75")
    passed = user.llmi2i("test", "-s", "unit_test:my_mocked_model_is_believed")
    assert "PASS=1" in passed.stderr

    user.llmi2i("promote", "dev", "prod", "--force")
    user.llmi2i("build", *goal)
    differences = json.loads(
        user.llmi2i("diff", "dev", "prod", "-s", "item_long_tail", "--output", "json").stdout
    )
    assert differences
    before = user.json(
        "query", "select count(*) filter (is_long_tail) as n from item_long_tail", "--env", "prod"
    )
    refused = user.llmi2i("promote", "dev", "prod", code=1)  # a part of the project is built
    assert "nodes of the project are not in it" in refused.stderr
    user.llmi2i("promote", "dev", "prod", "--force")
    after = user.json(
        "query", "select count(*) filter (is_long_tail) as n from item_long_tail", "--env", "prod"
    )
    assert after[0]["n"] > before[0]["n"]
    user.llmi2i("rollback", "prod")
    assert before == user.json(
        "query", "select count(*) filter (is_long_tail) as n from item_long_tail", "--env", "prod"
    )
    user.llmi2i("docs")
    assert "item_long_tail" in (user.folder / "target" / "docs" / "data" / "index.js").read_text()
