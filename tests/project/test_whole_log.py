"""Two kinds of index: the evaluated ones know nothing of what is held out, the served one is made of the whole log with what they decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.project import Project
from tests.project.test_no_leak import made_up, write
from tests.project.test_reference_project import ROOT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The made-up log built up to both kinds, with weights that are not 0 whatever the judges know."""
    folder = tmp_path_factory.mktemp("whole")
    fixed = {"distil_mu": 1.0, "pair_mu": 2.0, "long_tail_vote": 1.25, "recommender": "auto"}
    vars = {**write(made_up(), folder / "log"), **fixed}
    project = Project.load(ROOT, vars=vars, target_path=folder / "target")
    result = project.build(select="+i2i_index +i2i_index_baseline +popular_items +target_ranks_auto_augmented")  # fmt: skip
    errors = [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.status == "ERROR"]
    errors += [
        f"{c.check.name}: {c.messages or c.error}"
        for c in result.checks
        if c.status in ("FAIL", "ERROR")
    ]
    errors += [f"{u.check.name}: {u.error or u.diff}" for u in result.units if u.status != "PASS"]
    assert not errors
    return project


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    return project.rows(query)[1]


def related_in_train(project: Project, index: str) -> int:
    """How many pairs of the index no user of the train part has."""
    return int(
        rows(
            project,
            f"""
            select count(*) from {index} as pairs where not exists (
                select 1 from interactions_train as one inner join interactions_train as other on other.user_number = one.user_number
                where one.item_number = pairs.trigger_item_number and other.item_number = pairs.related_item_number
            )""",
        )[0][0]
    )


def test_the_served_index_is_that_of_the_whole_log(project: Project) -> None:
    for served, made in (("i2i_index", "index_whole_augmented"), ("i2i_index_baseline", "index_whole")):  # fmt: skip
        assert rows(project, f"from {served} except from {made}") == []
        assert rows(project, f"from {made} except from {served}") == []


def test_only_the_served_index_knows_what_was_held_out(project: Project) -> None:
    [(recommender,)] = rows(project, "select recommender from recommender_trials where place = 1")
    assert recommender not in ("popular", "text_neighbours")
    if "text" not in recommender:
        assert related_in_train(project, "index_auto") == 0
    assert related_in_train(project, "index_whole") > related_in_train(project, "index_auto")


def test_the_newest_event_of_each_user_is_in_the_prompt(project: Project) -> None:
    assert rows(
        project,
        """
        select count(*) from whole_generator_prompts as prompts
        inner join interactions as events on events.user_number = prompts.user_number
        inner join item_numbers on item_numbers.item_number = events.item_number
        where events.position = (select max(position) from interactions where user_number = events.user_number)
            and not contains(prompts.prompt, item_numbers.item_token)
        """,
    ) == [(0,)]


def test_new_users_are_in_the_served_index_too(project: Project) -> None:
    [(new, prompted)] = rows(
        project,
        "select count(*), count(prompts.user_number) from users left join whole_generator_prompts as prompts"
        " on prompts.user_number = users.user_number where users.is_new",
    )
    assert new == prompted > 0


def test_no_figure_is_made_from_the_whole_log(project: Project) -> None:
    """Nothing that the metrics, the trials or the choice read is made from the served index or what leads to it."""
    nodes = project.manifest.nodes
    reached, waiting = set(), ["metrics_summary", "gains", "fusion_choice", "list_metrics"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += nodes[name].reads
    assert not {name for name in reached if name.startswith(("whole_", "index_whole", "i2i_"))}
    assert "fusion_choice" in nodes["index_whole_augmented"].reads
    assert "recommender_trials" in nodes["index_whole"].reads


def test_without_it_the_evaluated_index_is_served(tmp_path: Path) -> None:
    vars = {**write(made_up(), tmp_path / "log"), "recommender": "auto", "serve_whole_log": False}
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    assert project.manifest.nodes["i2i_index"].reads == ("index_auto_augmented",)
    assert not [name for name in project.manifest.nodes if name.startswith("whole_")]
