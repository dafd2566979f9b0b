"""Kinds of events with weights, and baskets, from a raw log to Swing, co-occurrence and the generator's examples, beside plain Python."""

from __future__ import annotations

import csv
import itertools
import math
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from tests.project.test_reference_project import build

ROOT = Path(__file__).parents[2]
WEIGHTS = {"view": 1, "cart": 3, "purchase": 5.5}
Event = tuple[str, str, int, str, str]


def make_log(n_users: int = 60, n_items: int = 15) -> list[Event]:
    """Events that come back to items, kinds that have no weight, two events at one time."""
    draw = random.Random(5)
    kinds = [*WEIGHTS, "share"]
    return [
        (
            f"u{user:02}",
            f"i{draw.randrange(n_items):02}",
            draw.randrange(12),
            draw.choice(kinds),
            "",
        )
        for user in range(n_users)
        for _ in range(draw.randrange(2, 14))
    ]


def write(folder: Path, log: list[Event]) -> dict[str, Any]:
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "timestamp", "kind", "order"])
        rows.writerows(log)
    return {
        "interactions": str(folder / "log.csv"), "items": None, "language_model": "fake", "new_users": 0,
        "event_column": "kind",
    }  # fmt: skip


def weights_until(log: list[Event], last: dict[str, int] | None) -> dict[tuple[str, str], float]:
    """The weightiest event of each pair, of those before the user's next step after the time `last`."""
    first: dict[tuple[str, str], int] = {}
    for user, item, time, *_ in log:
        first[user, item] = min(time, first.get((user, item), time))
    found: dict[tuple[str, str], float] = defaultdict(float)
    for user, item, time, kind, _ in log:
        nexts = [t for (u, _), t in first.items() if u == user and last and t > last.get(user, -1)]
        if last is None or (user in last and time < min(nexts, default=10**9)):
            found[user, item] = max(found[user, item], WEIGHTS.get(kind, 1))
    return found


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], Project]:
    folder = tmp_path_factory.mktemp("kinds")
    log = make_log()
    vars = write(folder, log) | {"event_weights": WEIGHTS}
    select = "+weighed_events +crossfit_weighed_events +whole_weighed_events +cooccurrence +swing_plain +generator_examples +log_report"
    return log, build(folder, vars, select)


@pytest.mark.parametrize(
    ("weighed_name", "events"),
    [
        ("weighed_events", "interactions_train"),
        ("crossfit_weighed_events", "interactions_crossfit"),
        ("whole_weighed_events", "interactions"),
    ],
)
def test_a_pair_weighs_as_its_weightiest_event_so_far(
    weighed: tuple[list[Event], Project], weighed_name: str, events: str
) -> None:
    log, project = weighed
    of_events = project.query(
        f"select events.user_id, events.item_id, whole.timestamp from {events} as events"
        " inner join interactions as whole using (user_id, item_id)"
    ).fetchall()
    last: dict[str, int] = {}
    for user, _, time in of_events:
        last[user] = max(time, last.get(user, 0))
    expected = weights_until(log, None if events == "interactions" else last)
    found = {
        (user, item): weight
        for user, item, weight in project.query(
            f"select user_id, item_id, weight from {weighed_name}"
        ).fetchall()
    }
    assert found == {(user, item): expected[user, item] for user, item, _ in of_events}
    assert len(set(found.values())) == len(WEIGHTS)


def test_weights_reach_swing_cooccurrence_and_the_loss(
    weighed: tuple[list[Event], Project],
) -> None:
    project = weighed[1]
    g: dict[str, dict[str, float]] = defaultdict(dict)
    for user, item, weight in project.query(
        "select user_id, item_id, weight from weighed_events"
    ).fetchall():
        g[user][item] = weight
    swing: dict[tuple[str, str], float] = defaultdict(float)
    common: dict[tuple[str, str], float] = defaultdict(float)
    for u, v in itertools.combinations(g, 2):
        shared = sorted(g[u].keys() & g[v].keys())
        for i, j in itertools.permutations(shared, 2):
            both = g[u][i] * g[u][j] * g[v][i] * g[v][j]
            swing[i, j] += both / math.sqrt(len(g[u]) * len(g[v])) / (1 + len(shared))
    for items in g.values():
        for i, j in itertools.permutations(items, 2):
            common[i, j] += items[i] * items[j]
    norm = {
        i: sum(items.get(i, 0) ** 2 for items in g.values())
        for i in {i for s in g.values() for i in s}
    }
    exponent = project.vars["cooccurrence_degree_exponent"]
    together = {(i, j): value / (norm[i] * norm[j]) ** exponent for (i, j), value in common.items()}
    for name, expected in (("swing_plain", swing), ("cooccurrence", together)):
        found = project.query(f"select item_id, related_item_id, score from {name}").fetchall()
        assert {(i, j): score for i, j, score in found} == pytest.approx(expected)

    tail = dict(project.query("select item_id, is_long_tail from item_long_tail").fetchall())
    for user, weights in project.query(
        "select user_id, weights from generator_examples"
    ).fetchall():
        order = project.query(
            f"select item_id from interactions_train where user_id = '{user}' order by position"
        ).fetchall()
        alpha, beta = project.vars["alpha"], project.vars["beta"]
        assert weights == pytest.approx(
            [0, *(g[user][i] * (alpha if tail[i] else beta) for (i,) in order[1:])]
        )


def test_a_basket_is_one_step_at_the_time_of_its_first_event(tmp_path: Path) -> None:
    log = [
        ("a", "x", 1, "view", ""), ("a", "y", 2, "view", "one"), ("a", "z", 5, "view", "one"),
        ("a", "w", 3, "view", ""), ("b", "x", 9, "view", "one"), ("b", "y", 4, "view", ""),
    ]  # fmt: skip
    vars = write(tmp_path, log) | {"basket_column": "order"}
    project = build(tmp_path, vars, "+interactions")
    steps = project.query("select user_id, item_id, step, timestamp from interactions").fetchall()
    assert sorted(steps) == [
        ("a", "w", 2, 3), ("a", "x", 0, 1), ("a", "y", 1, 2), ("a", "z", 1, 2), ("b", "x", 1, 9), ("b", "y", 0, 4)
    ]  # fmt: skip


def test_a_kind_that_never_occurs_is_a_finding(tmp_path: Path) -> None:
    vars = write(tmp_path, make_log()) | {
        "event_kinds": ["view", "buy"],
        "event_weights": {"cart": 2},
    }
    project = build(tmp_path, vars, "+log_report")
    rows = project.query(
        "select n, total, example from log_report where finding = 'kinds_without_events'"
    ).fetchall()
    assert rows == [(2, 3, "buy")]


@pytest.mark.parametrize(
    ("vars", "said"),
    [
        ({"event_column": None, "event_weights": {"view": 2}}, "need event_column"),
        ({"event_weights": {"view": -1}}, "event_weights"),
        ({"event_weights": {"view": "much"}}, "event_weights"),
        ({"basket_column": "order", "log_partitions": True}, "basket_column does not go with log_partitions"),
        ({"basket_column": "ordr"}, "ordr"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(tmp_path: Path, vars: dict[str, Any], said: str) -> None:
    base = write(tmp_path, make_log())
    with pytest.raises(LlmI2iError, match=said):
        Project.load(ROOT, vars=base | vars, target_path=tmp_path / "target").build(
            select="+log_events"
        )
