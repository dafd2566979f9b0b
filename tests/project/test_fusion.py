"""The fusion against plain Python: what each blend of recommender, votes and item pairs is worth, what is chosen of them, and what a build says of it."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.build.events import BuildResult
from llm_i2i.runner.project import Project
from tests.project.test_no_leak import Events, made_up, write
from tests.project.test_reference_project import ROOT

Pairs = dict[int, dict[int, float]]
SMALL_GRID = {"distil_mu": [0, 1], "pair_mu": [0, 4], "long_tail_vote": [1, 1.5]}
HARMFUL = {"distil_mu": 1000.0, "pair_mu": 0.0, "long_tail_vote": 1.0}
TIE = 1e-5  # scores are compared in float32


def load(folder: Path, events: Events, env: str = "dev", **vars: Any) -> Project:
    folder.mkdir(exist_ok=True)
    log = folder / "log"
    written = write(events, log) if not log.exists() else json.loads((log / "vars.json").read_text())  # fmt: skip
    (log / "vars.json").write_text(json.dumps(written))
    vars = {**written, "recommender": "auto", "bootstrap_resamples": 200, **vars}
    return Project.load(ROOT, vars=vars, env=env, target_path=folder / "target")


def build(project: Project, select: str) -> BuildResult:
    result = project.build(select=select)
    assert not [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.status == "ERROR"]
    return result


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    return project.rows(query)[1]


# -- trials ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fusion")


@pytest.fixture(scope="module")
def project(folder: Path) -> Project:
    project = load(folder, made_up(), fusion_grid=SMALL_GRID)
    build(project, "+fusion_trials +recommender_trials +index_auto")
    return project


def scaled(project: Project, table: str, trigger: str = "item_number") -> Pairs:
    """Trigger -> related item -> score, divided by the mean over triggers of the best score."""
    pairs: Pairs = defaultdict(dict)
    for item, related, score in rows(project, f"select {trigger}, related_item_number, score from {table}"):  # fmt: skip
        pairs[item][related] = score
    mean = sum(max(scores.values()) for scores in pairs.values()) / len(pairs)
    return {
        item: {other: score / mean for other, score in scores.items()}
        for item, scores in pairs.items()
    }


def validation_targets(project: Project) -> list[tuple[int, list[int], int]]:
    """The user, the history and the item of each validation target that is no new user's."""
    events: dict[int, list[int]] = defaultdict(list)
    for user, item in rows(project, "select user_number, item_number from interactions order by user_number, position"):  # fmt: skip
        events[user].append(item)
    new = {user for (user,) in rows(project, "select user_number from users where is_new")}
    return [(user, items[:-2], items[-2]) for user, items in events.items() if len(items) >= 3 and user not in new]  # fmt: skip


def own_votes(project: Project) -> dict[int, Pairs]:
    """User -> trigger -> related item -> what the user alone adds to the votes, on the scale of `scaled`."""
    weights: dict[int, dict[int, float]] = defaultdict(dict)
    for user, item, age in rows(
        project,
        "select user_number, item_number, row_number() over (partition by user_number order by position desc) - 1 from interactions_train",
    ):
        if age < 5:
            weights[user][item] = 0.5**age
    totals: dict[int, float] = defaultdict(float)
    for of_user in weights.values():
        for item, weight in of_user.items():
            totals[item] += weight
    given: Pairs = defaultdict(dict)
    for user, item, vote in rows(project, "select user_number, item_number, vote from synthetic_interactions"):  # fmt: skip
        given[user][item] = vote
    best: dict[int, float] = defaultdict(float)
    for item, score in rows(project, "select item_number, score from distilled_votes"):
        best[item] = max(best[item], score)
    mean = sum(best.values()) / len(best)
    return {
        user: {
            trigger: {item: weight / totals[trigger] * vote / mean for item, vote in given[user].items()}
            for trigger, weight in of_user.items()
        }
        for user, of_user in weights.items()
    }  # fmt: skip


def blended(parts: list[tuple[float, Pairs]], history: list[int], factor: dict[int, float]) -> dict[int, float]:  # fmt: skip
    """The score of each item that is related to the last ten events, each of which weighs half as much as the next."""
    scores: dict[int, float] = defaultdict(float)
    for weight, pairs in parts:
        for age, trigger in enumerate(reversed(history[-10:])):
            for related, score in pairs.get(trigger, {}).items():
                scores[related] += weight * 0.5**age * score * factor[related]
    return {item: score for item, score in scores.items() if score > 0 and item not in set(history)}


def hits_between(
    parts: list[tuple[float, Pairs]],
    targets: list[tuple[int, list[int], int]],
    factor: dict[int, float],
    own: tuple[float, dict[int, Pairs]],
) -> tuple[int, int]:
    """How many targets are among the first ten: the fewest and the most, as ties may go either way."""
    fewest, most = 0, 0
    weight, votes = own
    for user, history, target in targets:
        scores = blended([*parts, (-weight, votes.get(user, {}))], history, factor)
        scores = {item: score for item, score in scores.items() if score > 1e-9}
        if target in scores:
            ahead = [s - scores[target] for item, s in scores.items() if item != target]
            margin = TIE * scores[target]
            fewest += sum(a >= -margin for a in ahead) < 10
            most += sum(a > margin for a in ahead) < 10
    return fewest, most


def test_each_trial_is_what_plain_python_finds(project: Project) -> None:
    base = scaled(project, "index_auto", trigger="trigger_item_number")
    votes, pairs = scaled(project, "distilled_votes"), scaled(project, "distilled_item_pairs")
    targets = validation_targets(project)
    rare = {item for (item,) in rows(project, "select item_number from item_long_tail where is_long_tail")}  # fmt: skip
    items = [item for (item,) in rows(project, "select item_number from item_numbers")]
    trials = rows(project, "select distil_mu, pair_mu, long_tail_vote, n_users, recall_all from fusion_trials")  # fmt: skip
    own = own_votes(project)
    assert len(trials) == 8
    for distil_mu, pair_mu, long_tail_vote, n_users, recall in trials:
        assert n_users == len(targets)
        factor = {item: long_tail_vote if item in rare else 1.0 for item in items}
        fewest, most = hits_between([(1.0, base), (distil_mu, votes), (pair_mu, pairs)], targets, factor, (distil_mu, own))  # fmt: skip
        assert fewest <= round(recall * n_users) <= most
        assert most > 0
    assert len({recall for *_, recall in trials}) > 1


def test_the_plain_trial_is_the_chosen_recommender(project: Project) -> None:
    [(plain, n_users)] = rows(project, "select recall_all, n_users from fusion_trials where is_plain")  # fmt: skip
    [(alone, of)] = rows(project, "select recall_all, n_users from recommender_trials where place = 1")  # fmt: skip
    assert (plain, n_users) == (pytest.approx(alone, abs=1e-9), of)
    best = max(recall for (recall,) in rows(project, "select recall_all from recommender_trials"))
    assert alone == best


# without votes: a user's own ones are in the index and not in the trials.
@pytest.mark.parametrize("weights", [(0.0, 4.0, 1.0), (0.0, 4.0, 1.5)])
def test_a_trial_is_worth_what_an_index_of_these_weights_has(
    project: Project, folder: Path, weights: tuple[float, float, float]
) -> None:
    names = ("distil_mu", "pair_mu", "long_tail_vote")
    values = dict(zip(names, weights, strict=True))
    condition = " and ".join(f"{name} = {value}" for name, value in values.items())
    [(tried, n_users)] = rows(project, f"select recall_all, n_users from fusion_trials where {condition}")  # fmt: skip
    fixed = load(folder, {}, env="fixed", **values)
    build(fixed, "+target_ranks_auto_augmented")
    [(hits, of)] = rows(
        fixed,
        "select count(*) filter (rank <= 10), count(*) from target_ranks_auto_augmented"
        " where split = 'validation' and not is_new_user",
    )
    assert of == n_users
    # an index is rounded before a user's triggers are summed, a trial after: ties alone may fall otherwise.
    assert abs(hits - tried * n_users) <= 1 + 1e-6


def test_fixed_weights_are_the_choice(project: Project, folder: Path) -> None:
    fixed = load(folder, {}, env="fixed", distil_mu=1.0, pair_mu=4.0, long_tail_vote=1.5)
    build(fixed, "+fusion_choice")
    assert rows(fixed, "select distil_mu, pair_mu, long_tail_vote from fusion_choice") == [(1.0, 4.0, 1.5)]  # fmt: skip


# -- what cannot be shown to help is left out ------------------------------------------------------


def dealt_at_random(events: Events, seed: int) -> Events:
    """The same events, their items dealt to users anew: each user keeps his number of events, each item its count."""
    pool = [item for items in events.values() for item in items]
    random.Random(seed).shuffle(pool)
    dealt: Events = {}
    for user, items in events.items():
        hand: list[str] = []
        for item in list(pool):
            if len(hand) == len(items):
                break
            if item not in hand:
                hand.append(item)
                pool.remove(item)
        dealt[user] = hand
    return dealt


def test_nothing_is_gained_where_there_is_nothing_to_learn(tmp_path: Path) -> None:
    # judges that could learn; those of the fake language model never do.
    project = load(tmp_path, dealt_at_random(made_up(users=200), seed=7), judge="boosting")
    result = build(project, "+fusion_choice +gains")
    assert rows(project, "select distil_mu, pair_mu, long_tail_vote from fusion_choice") == [(0, 0, 1)]  # fmt: skip
    assert rows(project, "select n_parts from fusion_trials join fusion_choice using (distil_mu, pair_mu, long_tail_vote)") == [(0,)]  # fmt: skip
    assert {verdict for (verdict,) in rows(project, "select verdict from gains")} == {"none"}
    choice = [m for m in result.conclusions if "as it is: no weight beats 0" in m]
    gains = [m for m in result.conclusions if m.startswith("nothing gained for sure on all targets")]  # fmt: skip
    assert len(choice) == len(gains) == 1


# -- gates -----------------------------------------------------------------------------------------


def test_harmful_weights_do_not_pass_the_gate(project: Project, folder: Path) -> None:
    harmed = load(folder, {}, env="harmed", **HARMFUL)
    result = build(harmed, "+paired_differences")
    [gate] = [c for c in result.checks if "index_is_not_below_its_baseline" in c.check.name]
    assert gate.status == "FAIL"
    assert "let fusion_trials choose the weights (distil_mu, pair_mu and long_tail_vote: null)" in gate.messages[0]  # fmt: skip
    assert "without the language model" in gate.messages[0]
    assert not result.published


# -- what a build says of it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"distil_mu": [0, "x"]}, {"distil_mu": [0, -1]}, {"pair_mu": 2}, {"pair_mu": []}, {"long_tail_vote": [0.5, 1]}],
)  # fmt: skip
def test_a_grid_of_what_are_no_weights_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    ((name, values),) = wrong.items()
    project = Project.load(ROOT, vars={"fusion_grid": {**SMALL_GRID, **wrong}}, target_path=tmp_path)  # fmt: skip
    with pytest.raises(LlmI2iError) as refused:
        project.compile("fusion_trials")
    assert f"on for {name}, and has {values}; write" in str(refused.value)


def test_conclusions_are_said_in_text_in_json_and_not_when_quiet(
    project: Project, folder: Path
) -> None:
    vars = {**json.loads((folder / "log/vars.json").read_text()), "recommender": "auto", "bootstrap_resamples": 200, "fusion_grid": SMALL_GRID}  # fmt: skip
    arguments = ["build", "-s", "+fusion_choice", "--vars", json.dumps(vars), "--project-dir", str(ROOT), "--target-path", str(folder / "target")]  # fmt: skip
    [(message,)] = rows(build_and_keep(project, "+fusion_choice"), "select message from fusion_choice")  # fmt: skip
    said = CliRunner().invoke(cli, arguments)
    assert said.exit_code == 0, said.stderr
    assert said.stderr.rstrip().endswith(message), said.stderr[-2000:]
    logged = CliRunner().invoke(cli, [*arguments, "--log-format", "json"])
    events = [json.loads(line) for line in logged.stderr.splitlines()]
    assert [e["conclusions"] for e in events if e["event"] == "build_finished"] == [[message]]
    quiet = CliRunner().invoke(cli, [*arguments, "-q"])
    assert quiet.exit_code == 0
    assert message not in quiet.stderr + quiet.stdout


def build_and_keep(project: Project, select: str) -> Project:
    build(project, select)
    return project
