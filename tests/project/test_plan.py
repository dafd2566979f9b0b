"""What `llmi2i plan` says of calls to language models: how many, how long."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_i2i.cli.plan import plan_rows
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject


def rows(shop: ShopProject, **vars: Any) -> dict[str, dict[str, Any]]:
    project = Project.load(shop.dir, vars=vars)
    return {row["node"]: row for row in plan_rows(project, project.plan())}


def test_unknown_then_words_then_measured(shop: ShopProject) -> None:
    scored = rows(shop)["scored"]
    assert (scored["has_calls"], scored["calls"]) == (True, None)  # its prompts are not built

    Project.load(shop.dir).build(select="+prompts")
    scored = rows(shop)["scored"]
    # "Hello u1 of Earth": four words a prompt; the checkpoint is not built, so nothing can be cached.
    assert (scored["calls"], scored["cached"], scored["to_make"]) == (20, 0, 20)
    assert (scored["tokens"], scored["token_unit"], scored["seconds"]) == (80, "words", None)

    Project.load(shop.dir).build()
    scored = rows(shop)["scored"]
    assert (scored["has_calls"], scored["calls"]) == (False, None)  # nothing to build
    (measured,) = Project.load(shop.dir).calls.speeds("score")
    assert (measured["first"]["calls"], measured["rest"]["calls"]) == (7, 13)
    assert (measured["first"]["tokens"], measured["rest"]["tokens"]) == (28, 52)

    shop.write_log(30)
    Project.load(shop.dir).build(select="+prompts")
    scored = rows(shop)["scored"]
    assert scored["to_make"] == 30
    assert scored["tokens"] == 120
    assert 0 <= scored["seconds"] < 5  # the measured speed of a function that does nothing


def test_calls_that_are_cached_take_no_time(shop: ShopProject) -> None:
    project = Project.load(shop.dir)
    project.build()
    scored = next(step for step in project.plan().steps if step.node.name == "scored")
    counts = project.calls_of(project.plan(), scored)
    assert counts is not None
    assert (counts.distinct, counts.cached, counts.tokens, counts.seconds) == (20, 20, 0, 0.0)


def test_failed_rows_say_nothing_of_the_speed(shop: ShopProject) -> None:
    shop.replace("udfs/functions.py", "import UdfContext,", "import RowError, UdfContext,")
    shop.replace(
        "udfs/functions.py", "return [int(", "return [RowError('no') if 'u1 ' in p else int("
    )
    result = Project.load(shop.dir).build()
    assert not result.success
    assert Project.load(shop.dir).calls.speeds("score") == []


@pytest.mark.parametrize("built", [False, True])
def test_the_table_fits_a_terminal(shop: ShopProject, built: bool) -> None:
    if built:
        Project.load(shop.dir).build(select="+prompts")
    done = shop.run("plan")
    assert done.returncode == 0, done.stderr
    assert max(map(len, (done.stdout + done.stderr).splitlines())) <= 80
    assert "calls of" in done.stdout
    line = next(line for line in done.stdout.splitlines()[::-1] if line.startswith("scored"))
    assert line.split() == ["scored", *(["20", "0", "20", "~80", "?"] if built else ["?"] * 5)]
    assert ("~ counts words" in done.stderr) == built


def test_json_has_every_field(shop: ShopProject) -> None:
    found = json.loads(shop.run("plan", "--output", "json").stdout)
    assert {row["node"]: row["action"] for row in found}["scored"] == "build"
    numbers = {"calls", "cached", "to_make", "tokens", "seconds"}
    assert all(set(row) >= {"has_calls", "token_unit", *numbers} for row in found)
    assert {row["node"] for row in found if row["has_calls"]} == {"scored"}
    for row in found:  # a number, or null where it is not known: never a mark to read
        assert all(isinstance(row[n], (int, float, type(None))) for n in numbers)


def test_serving_options_make_nothing_stale(shop: ShopProject) -> None:
    small = "small: {architecture: fake, backend: openai, serving: {concurrency: 2}}"
    shop.replace("project/project.yml", "small: {architecture: fake}", small)
    Project.load(shop.dir).build()
    shop.replace("project/project.yml", "concurrency: 2", "requests_per_minute: 9")
    project = Project.load(shop.dir)
    assert not project.plan().to_build
    assert project.serving["small"]["requests_per_minute"] == 9


def test_a_wrong_serving_option_stops_before_anything_runs(shop: ShopProject) -> None:
    small = "small: {architecture: fake, serving: {concurency: 2}}"
    shop.replace("project/project.yml", "small: {architecture: fake}", small)
    done = shop.run("build")
    assert done.returncode == 2
    assert "language_models.small.serving.concurency" in done.stderr
    assert "'concurrency'" in done.stderr
    assert shop.calls() == []
