"""A real dbt project that calls our UDFs: what our builds called is never called again."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from llm_i2i.runner.project import Project
from tests.dbt.conftest import run_dbt
from tests.project.conftest import ShopProject

pytestmark = pytest.mark.dbt

FILES = {
    "dbt_project.yml": """
        name: sample
        version: "1.0"
        profile: sample
        flags: {send_anonymous_usage_stats: false}
        models: {+materialized: table}
    """,
    "profiles.yml": """
        sample:
          target: dev
          outputs:
            dev:
              type: duckdb
              path: sample.duckdb
              threads: 2
              attach:
                - {path: SHOP/target/dev.duckdb, alias: shop, read_only: true}
              plugins:
                - module: llm_i2i.dbt_plugin
                  config: {project_dir: SHOP, calls: CALLS}
    """,
    "models/sources.yml": """
        sources:
          - name: shop
            database: shop
            schema: main
            tables: [{name: prompts}, {name: trained}, {name: scored}]
        models:
          - name: scores
            columns:
              - name: user_id
                data_tests: [unique, not_null]
              - name: score
                data_tests: [not_null]
          - name: kept
            columns:
              - name: user_id
                data_tests:
                  - relationships: {arguments: {to: ref('scores'), field: user_id}}
    """,
    "models/scores.sql": """
        select
            user_id,
            score(prompt, (select any_value(checkpoint) from {{ source('shop', 'trained') }})) as score
        from {{ source('shop', 'prompts') }}
    """,
    "models/kept.sql": "select * from {{ ref('scores') }} where score >= 0.5",
    "tests/same_as_the_build.sql": """
        select * from {{ ref('scores') }} as ours
        full join {{ source('shop', 'scored') }} as theirs using (user_id)
        where ours.score is distinct from theirs.score
    """,
}


class Sample:
    """A dbt project beside a built shop."""

    def __init__(self, folder: Path, calls: str = "cached") -> None:
        self.shop = ShopProject(folder / "shop")
        self.dir = folder / "sample"
        for name, text in FILES.items():
            path = self.dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = text.replace("SHOP", str(self.shop.dir)).replace("CALLS", calls)
            path.write_text(textwrap.dedent(text).lstrip("\n"))

    def results(self) -> dict[str, str]:
        run = json.loads((self.dir / "target" / "run_results.json").read_text())
        return {one["unique_id"].split(".")[2]: one["status"] for one in run["results"]}


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    (tmp_path / "shop").mkdir()
    made = Sample(tmp_path)
    assert Project.load(made.shop.dir).build().success
    made.shop.calls()
    return made


def test_dbt_builds_from_our_cached_calls(sample: Sample) -> None:
    done = run_dbt(sample.dir, "build")
    assert done.returncode == 0, done.stdout + done.stderr
    found = sample.results()
    assert found["scores"] == found["kept"] == "success"
    assert found["same_as_the_build"] == "pass"
    assert set(found.values()) == {"success", "pass"}
    assert len(found) == 7
    assert sample.shop.calls() == []  # every one of them was made by our build


def test_a_call_that_no_build_made_stops_the_model(sample: Sample) -> None:
    model = sample.dir / "models" / "scores.sql"
    model.write_text(model.read_text().replace("score(prompt,", "score('new ' || prompt,"))
    done = run_dbt(sample.dir, "build")
    assert done.returncode == 1
    assert "score was asked for 20 calls that are not cached" in done.stdout
    assert sample.results()["scores"] == "error"
    assert sample.results()["kept"] == "skipped"
    assert sample.shop.calls() == []


def test_new_calls_are_made_once(sample: Sample) -> None:
    profile = sample.dir / "profiles.yml"
    profile.write_text(profile.read_text().replace("calls: cached", "calls: make"))
    model = sample.dir / "models" / "scores.sql"
    model.write_text(model.read_text().replace("score(prompt,", "score('new ' || prompt,"))
    (sample.dir / "tests" / "same_as_the_build.sql").unlink()
    assert run_dbt(sample.dir, "build").returncode == 0
    assert len(sample.shop.calls()) == 20
    assert run_dbt(sample.dir, "build").returncode == 0
    assert sample.shop.calls() == []


def test_a_wrong_setting_says_what_is_known(sample: Sample) -> None:
    profile = sample.dir / "profiles.yml"
    profile.write_text(profile.read_text().replace("calls: cached", "call: cached"))
    done = run_dbt(sample.dir, "build")
    assert done.returncode != 0
    assert "unknown key 'call'" in done.stdout + done.stderr
    assert "did you mean 'calls'?" in done.stdout + done.stderr
