"""What is held out changes nothing that is learnt: other test events, the same tables."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.project import Project
from tests.project.test_reference_project import ROOT

# What models learn from, what they make of it, and what an index is made of. A test event moves none of them by a byte.
MUST_NOT_CHANGE = (
    "interactions_train",
    "interactions_crossfit",
    "crossfit_targets",
    "item_numbers",
    "item_long_tail",
    "crossfit_item_long_tail",
    "items",
    "item_terms",
    "item_features",
    "generator_examples",
    "crossfit_generator_examples",
    "generator_prompts",
    "crossfit_generator_prompts",
    "generated_interactions",
    "crossfit_generated_interactions",
    "candidate_signals",
    "crossfit_candidate_signals",
    "signal_bucket_edges",
    "discriminator_examples",
    "scored_interactions",
    "generated_item_pairs",
    "item_pair_features",
    "labelled_item_pairs",
    "item_pair_examples",
    "scored_item_pairs",
    "synthetic_interactions",
    "fused_interactions",
    "distilled_votes",
    "distilled_item_pairs",
    "swing_sums",
    "cooccurrence",
    "text_neighbours",
    "judge_learning",
    "index_cooccurrence_text",
    "index_auto",
    "index_auto_augmented",
    # what validation events alone decide.
    "recommender_trials",
    "fusion_trials",
    "fusion_choice",
)
# What is served is made from the whole log, with what was decided without its test events (tests/project/test_whole_log.py).
MUST_CHANGE = ("interactions", "targets", "evaluation_long_tail", "i2i_index", "popular_items")
# They name a checkpoint or a call by what went into it, the whole log included, whatever came out.
NAMES = {"checkpoint", "generator_checkpoint", "discriminator_checkpoint", "generator_call", "discriminator_call"}  # fmt: skip
# Sums of doubles differ in the last bits by the order in which threads add; what reads this column rounds it first (index_of_arm.sql).
ROUNDED = {("distilled_votes", "score")}

Events = dict[str, list[str]]


def made_up(users: int = 120, items: int = 40) -> Events:
    """The items of each user, oldest first; popular items and the next item come more often."""
    draw = random.Random(5)
    events: Events = {}
    for user in range(users):
        start = min(int(draw.expovariate(0.08)), items - 1)
        steps = [
            (start + n + int(draw.expovariate(0.6))) % items for n in range(draw.randint(4, 9))
        ]
        events[f"user {user}"] = [f"item {n}" for n in dict.fromkeys(steps)]
    return events


def with_other_test_events(events: Events) -> Events:
    """A tenth of the users with another last item, so that items get other counts, but every item stays in the log."""
    changed = {user: list(items) for user, items in events.items()}
    trained = Counter(item for items in events.values() for item in items[:-2])
    of_all = Counter(item for items in events.values() for item in items)
    users = [user for user, items in events.items() if len(items) >= 3]
    for user in random.Random(6).sample(users, len(events) // 10):
        items = changed[user]
        if of_all[items[-1]] > 1:
            of_all[items[-1]] -= 1
            # the rarest items gain the most: what is long-tail by full counts moves.
            items[-1] = min((i for i in trained if i not in items), key=lambda i: (of_all[i], i))
            of_all[items[-1]] += 1
    return changed


def write(events: Events, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "position"])
        rows.writerows((u, item, n) for u, items in events.items() for n, item in enumerate(items))
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title"])
        names = sorted({item for items in events.values() for item in items})
        rows.writerows((item, f"Kite {n % 7} of the {n % 4} winds") for n, item in enumerate(names))
    return {
        "interactions": str(folder / "log.csv"),
        "items": str(folder / "items.csv"),
        "order_column": "position",
        "language_model": "fake",
        "controls": [],
        "others_folds": None,
    }


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Project]:
    """The log as it is, and with other test events, each built up to its index in a store of its own."""
    folder = tmp_path_factory.mktemp("leak")
    events = made_up()
    built = []
    for name, log in (("before", events), ("after", with_other_test_events(events))):
        vars = write(log, folder / name)
        project = Project.load(ROOT, vars=vars, target_path=folder / name / "target")
        result = project.build(select=" ".join(f"+{m}" for m in (*MUST_NOT_CHANGE, *MUST_CHANGE)))
        assert not [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.status == "ERROR"]
        built.append(project)
    return built[0], built[1]


def table(project: Project, name: str) -> list[tuple[Any, ...]]:
    columns, _ = project.rows(f"from {name}", 1)
    kept = ", ".join(
        f'cast("{column}" as float)' if (name, column) in ROUNDED else f'"{column}"'
        for column in columns
        if column not in NAMES
    )
    return project.rows(f"select {kept} from {name} order by all")[1]


@pytest.mark.parametrize("name", MUST_NOT_CHANGE)
def test_other_test_events_leave_what_is_learnt_as_it_is(
    projects: tuple[Project, Project], name: str
) -> None:
    before, after = (table(project, name) for project in projects)
    assert before
    assert after == before


@pytest.mark.parametrize("name", MUST_CHANGE)
def test_the_evaluation_sees_them(projects: tuple[Project, Project], name: str) -> None:
    before, after = (table(project, name) for project in projects)
    assert after != before


def test_nothing_is_generated_for_new_users(projects: tuple[Project, Project]) -> None:
    (project, _) = projects
    (n_new, n_targets), *_ = project.rows(
        "select count(*) filter (is_new), count(targets.user_id)"
        " from users left join targets on targets.user_id = users.user_id and targets.split = 'test' and users.is_new"
    )[1]
    assert 0 < n_new == n_targets < 30
    for name in ("interactions_train", "generator_prompts", "generated_interactions", "synthetic_interactions", "fused_interactions"):  # fmt: skip
        rows = project.rows(f"select count(*) from {name} inner join users using (user_id) where is_new")[1]  # fmt: skip
        assert rows == [(0,)], name
