"""The metrics of an arm by plain Python, from the log and the index alone: lists, segments of the most recent trigger, new items."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from llm_i2i.runner.project import Project
from tests.project.test_reference_project import ROOT, write_log

Histories = dict[str, list[str]]
Distance = Callable[[str, str], float]


class Log(dict[str, list[str]]):
    """The items of each user, oldest first; `new` are the users that no model has learnt from."""

    new: frozenset[str] = frozenset()


def read_log(project: Project) -> Log:
    found = Log()
    for user, item in project.rows(
        "select user_id, item_id from interactions order by user_id, position"
    )[1]:
        found.setdefault(user, []).append(item)
    found.new = frozenset(u for (u,) in project.rows("select user_id from users where is_new")[1])
    return found


def rank_items(project: Project, table: str, histories: dict[str, list[str]]) -> dict[str, list[str]]:  # fmt: skip
    """The whole list of each user: ten triggers, each half as heavy as the next, what was met left out."""
    index = defaultdict(list)
    for trigger, item, score in project.rows(
        f"select trigger_item_id, related_item_id, score from {table}"
    )[1]:
        index[trigger].append((item, score))
    ranked = {}
    for user, history in histories.items():
        scores: dict[str, float] = defaultdict(float)
        for age, trigger in enumerate(reversed(history[-10:])):
            for item, score in index[trigger]:
                scores[item] += 0.5**age * score
        ranked[user] = sorted(scores.keys() - set(history), key=lambda i: (-np.float32(scores[i]), i))  # fmt: skip
    return ranked


def train_of(log: Log) -> Histories:
    known = {u: items for u, items in log.items() if u not in log.new}
    return {u: items[:-2] if len(items) >= 3 else items for u, items in known.items()}


def plain_list_metrics(
    log: Log, ranked: dict[str, list[str]], targets: dict[str, str], histories: Histories,
    catalogue: int, distance: Distance,
) -> dict[str, float]:  # fmt: skip
    """The rows of list_metrics for one arm and split."""
    train = train_of(log)
    events = Counter(item for items in train.values() for item in items)
    lists = {user: items[:10] for user, items in ranked.items() if items}
    shown = fmean(fmean(events[i] for i in items) for items in lists.values())
    met = fmean(fmean(events[i] for i in histories[user]) for user in lists)
    pairs = [list(itertools.combinations(items, 2)) for items in lists.values()]
    new = [user for user, target in targets.items() if not events[target]]
    found = {
        "coverage": len({i for items in lists.values() for i in items}) / catalogue,
        "novelty": fmean(
            fmean(-math.log2(max(events[i], 1) / len(train)) for i in items)
            for items in lists.values()
        ),
        "diversity": fmean(fmean(distance(*p) for p in some) if some else 0 for some in pairs),
        "average_popularity": shown,
        "popularity_lift": shown / met - 1,
    }
    if new:
        found["new_item_hit_rate"] = fmean(targets[u] in ranked[u][:10] for u in new)
    return found


def trigger_class(log: Log) -> Callable[[str], str]:
    """Which third of the train part's events an item lies in, the rarest items first."""
    events = Counter(item for items in train_of(log).values() for item in items)
    total = sum(events.values())

    def of(item: str) -> str:
        rarer = sum(n for n in events.values() if n < events[item])
        return ["rare", "common", "popular"][min(2, 3 * rarer // total)]

    return of


def text_distance(project: Project) -> Distance:
    vectors: dict[str, dict[str, float]] = defaultdict(dict)
    for item, name, weight in project.rows(
        "select item_id, name, weight from item_terms join item_numbers using (item_number)"
    )[1]:
        vectors[item][name] = weight
    return lambda a, b: 1 - sum(w * vectors[b].get(name, 0) for name, w in vectors[a].items())


def user_distance(log: Log) -> Distance:
    users: dict[str, set[str]] = defaultdict(set)
    for user, items in train_of(log).items():
        for item in items:
            users[item].add(user)

    def distance(a: str, b: str) -> float:
        both = len(users[a] & users[b])
        return 1 - both / math.sqrt(len(users[a]) * len(users[b])) if both else 1.0

    return distance


def held_out(log: Log, split: str) -> tuple[dict[str, str], Histories]:
    """Target and history of each user who has one."""
    place = {"test": -1, "validation": -2}[split]
    users = {user: items for user, items in log.items() if len(items) >= 3}
    return {u: i[place] for u, i in users.items()}, {u: i[:place] for u, i in users.items()}


def found_list_metrics(project: Project, recommender: str, augmentation: str, split: str) -> Any:
    rows = project.rows(
        f"select metric, value from list_metrics where recommender = '{recommender}' and augmentation = '{augmentation}' and split = '{split}'"
    )[1]
    return dict(rows)


def chosen(project: Project) -> str:
    return str(project.rows("select recommender from fusion_choice")[1][0][0])


@pytest.mark.parametrize("split", ["validation", "test"])
def test_lists_of_the_evaluated_index(
    reference_shop: tuple[Path, dict[str, Any]], split: str
) -> None:
    project = Project.load(ROOT, vars=reference_shop[1], target_path=reference_shop[0] / "target")
    log = read_log(project)
    targets, histories = held_out(log, split)
    ranked = rank_items(project, "index_auto_augmented", histories)
    ((catalogue,),) = project.rows("select count(*) from items")[1]
    expected = plain_list_metrics(log, ranked, targets, histories, catalogue, text_distance(project))  # fmt: skip
    found = found_list_metrics(project, chosen(project), "llm_i2i", split)
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0.1 < found["diversity"] < 0.95
    assert found["coverage"] > 0.3


@pytest.mark.parametrize("split", ["validation", "test"])
def test_segments_of_the_most_recent_trigger(
    reference_shop: tuple[Path, dict[str, Any]], split: str
) -> None:
    project = Project.load(ROOT, vars=reference_shop[1], target_path=reference_shop[0] / "target")
    log = read_log(project)
    targets, histories = held_out(log, split)
    ranked = rank_items(project, "index_auto_augmented", histories)
    classes = trigger_class(log)
    hits: dict[str, list[bool]] = defaultdict(list)
    for user, target in targets.items():
        if user in log.new:
            continue
        hits[classes(histories[user][-1]) + "_trigger"].append(target in ranked[user][:10])
    found = {
        segment: (value, n)
        for segment, value, n in project.rows(
            f"select segment, value, n_users from ranking_metrics where recommender = '{chosen(project)}' and augmentation = 'llm_i2i'"
            f" and split = '{split}' and metric = 'recall' and k = 10 and segment like '%trigger'"
        )[1]
    }
    assert set(found) == {"rare_trigger", "common_trigger", "popular_trigger"}
    for segment, (value, n_users) in found.items():
        assert n_users == len(hits[segment])
        assert value == pytest.approx(fmean(hits[segment]), abs=1e-9)


def test_lists_without_texts_and_a_smaller_sample(tmp_path: Path) -> None:
    vars = {**write_log(tmp_path, users=60, items=30), "items": None}
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    assert project.build(select="+list_metrics_cosine +index_cosine").success
    log = read_log(project)
    query = "select metric, value, n_users from list_metrics_cosine where split = 'test'"
    targets, histories = held_out(log, "test")
    ranked = rank_items(project, "index_cosine", histories)
    ((catalogue,),) = project.rows("select count(*) from item_numbers")[1]
    expected = plain_list_metrics(log, ranked, targets, histories, catalogue, user_distance(log))
    found = {metric: value for metric, value, _ in project.rows(query)[1]}
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0.1 < found["diversity"] < 1
    few = Project.load(ROOT, vars={**vars, "list_metrics_users": 7}, target_path=tmp_path / "target")  # fmt: skip
    assert few.build(select="+list_metrics_cosine").success
    sample = {metric: (value, n) for metric, value, n in few.rows(query)[1]}
    assert sample["novelty"][1] <= 7
    assert sample["coverage"][0] < found["coverage"]
    assert sample.get("new_item_hit_rate", (None,))[0] == found.get("new_item_hit_rate")
