"""Frozen models: a checkpoint stays while only the log grows, so a day's build calls for what is new alone."""

from __future__ import annotations

from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

FREEZE = "\n  - name: trained\n    config: {frozen: true}\n"


def freeze(shop: ShopProject) -> None:
    text = (shop.dir / "models/models.yml").read_text()
    (shop.dir / "models/models.yml").write_text(text.rstrip() + FREEZE)


def reason(shop: ShopProject, node: str = "trained", **options: object) -> str:
    plan = Project.load(shop.dir).plan(**options)  # type: ignore[arg-type]
    return next(step.reason for step in plan.steps if step.node.name == node)


def test_a_day_of_new_users_costs_their_calls_alone(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    freeze(shop)
    build()
    assert len(shop.calls()) == 20
    shop.write_log(22)
    assert "frozen at" in reason(shop)
    assert "input events changed" in reason(shop)
    status = build()
    assert status["trained"] == "REUSED"
    assert status["events"] == status["scored"] == "OK"
    assert shop.calls() == ["Hello u20 of Earth", "Hello u21 of Earth"]
    assert set(build().values()) == {"REUSED"}, "it is frozen at what is published now, too"
    # what was published is what readers see: 22 users, one checkpoint
    rows = Project.load(shop.dir).query("select count(distinct user_id) from scored").fetchall()
    assert rows == [(22,)]


def test_without_it_one_more_row_renames_all_calls(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    build()
    shop.calls()
    shop.write_log(21)
    build()
    assert len(shop.calls()) == 21


def test_a_full_refresh_trains_again_and_stays(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    freeze(shop)
    build()
    shop.write_log(21)
    build()
    shop.calls()
    assert build(select="trained+", full_refresh=True)["trained"] == "OK"
    assert len(shop.calls()) == 21
    shop.write_log(22)
    assert "frozen at" in reason(shop)
    build()
    assert shop.calls() == ["Hello u21 of Earth"]


def test_a_frozen_result_keeps_the_verdict_of_its_day(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    """Its data tests compare it with what it was made from, not with what has come since."""
    freeze(shop)
    shop.write(
        "project/tests/all_rows.sql",
        "select 1 as failed from {{ ref('trained') }} where (select count(*) from {{ ref('events') }}) > 60",
    )
    assert Project.load(shop.dir).build().success
    shop.write_log(21)
    assert Project.load(shop.dir).build().success
    assert not Project.load(shop.dir).build(select="trained", full_refresh=True).success


def test_another_recipe_thaws(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    freeze(shop)
    build()
    shop.write_log(21)
    shop.replace("models/events.sql", "select\n", "select distinct\n")
    assert "frozen" not in reason(shop), "the SQL of what it reads has changed, not the data alone"
    shop.replace("models/events.sql", "select distinct\n", "select\n")
    assert "frozen" in reason(shop)
    (shop.dir / "data/log.csv").rename(shop.dir / "data/other.csv")
    plan = Project.load(shop.dir, vars={"log": "data/other.csv"}).plan()
    step = next(step for step in plan.steps if step.node.name == "trained")
    assert step.action == "build", "another file is another log"


def test_an_environment_without_one_trains(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    freeze(shop)
    build()
    shop.write_log(21)
    plan = Project.load(shop.dir, env="other").plan()
    assert next(s.action for s in plan.steps if s.node.name == "trained") == "build"
