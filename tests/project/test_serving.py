"""The service against SQL, on the reference project; and the command itself."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.project import Project
from llm_i2i.serve.index import ServingIndex, open_index
from llm_i2i.serve.merge import recommend
from llm_i2i.serve.pack import pack
from llm_i2i.store.environment import Pointer
from tests.project.services import serve_command, service
from tests.project.test_reference_project import build, write_log
from tests.research_data import DATA, HAS_DATA

INDEX = "i2i_index_baseline"  # what costs no language model is enough: the merge is the same
TABLES = "target_ranks_cooccurrence_text i2i_index_baseline items popular_items serving_settings evaluation_triggers interactions targets"
# All of models/evaluation/target_ranks_by_index.sql's candidate_scores in order, not only the target's rank.
RANKINGS = """
    with scores as (
        select triggers.target_number, related.related_item_number as item_number,
            cast(sum(triggers.weight * related.score) as float) as score
        from evaluation_triggers as triggers
        inner join i2i_index_baseline as related on related.trigger_item_number = triggers.trigger_item_number
        group by all
    )
    select targets.target_number, items.item_id, cast(scores.score as double)
    from scores
    inner join targets on targets.target_number = scores.target_number
    inner join items on items.item_number = scores.item_number
    where not exists (
        from interactions as seen
        where seen.user_number = targets.user_number and seen.item_number = scores.item_number and seen.position < targets.position
    )
    order by targets.target_number, scores.score desc, scores.item_number
"""
HISTORIES = """
    select targets.target_number, targets.item_id, list(interactions.item_id order by interactions.position desc)
    from targets
    inner join interactions on interactions.user_number = targets.user_number and interactions.position < targets.position
    group by all order by all
"""


# A user with more events than one query may hold, and how many of them are held out as targets.
REGULAR, REGULAR_EVENTS = "a regular customer", 130


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("serving")
    vars = write_log(folder, users=300, items=160)
    # the evaluated index is served, so that the answers can be compared with the evaluation.
    vars |= {"serve_whole_log": False, "recommender": "cooccurrence_text"}
    with (folder / "log.csv").open("a", newline="") as file:
        rows = csv.writer(file)
        for event in range(REGULAR_EVENTS):
            time_of_day = f"{event // 60:02d}:{event % 60:02d}:00"
            rows.writerow([REGULAR, f'it "{event}" ü', f"2024-01-09 {time_of_day}"])
    return build(folder, vars, select=" ".join(f"+{table}" for table in TABLES.split()))


@pytest.fixture(scope="module")
def index(shop: Project) -> ServingIndex:
    return open_index(pack(shop.target_dir, shop.environment, INDEX))


def test_answers_are_the_rankings_of_the_sql_evaluation(shop: Project, index: ServingIndex) -> None:
    expected = defaultdict(list)
    for target, item, score in shop.rows(RANKINGS)[1]:
        expected[target].append((item, score))
    ranks = dict(shop.rows("select target_number, rank from target_ranks_cooccurrence_text")[1])
    histories = shop.rows(HISTORIES)[1]
    assert len(histories) > 200
    assert index.settings.triggers == 10
    for target, target_item, history in histories:
        found = recommend(index, history, index.n_items)
        answer = list(
            zip(index.ids.many(found.ranking.items), found.ranking.scores.tolist(), strict=True)
        )
        if found.fallback:
            assert not expected[target]
            continue
        assert answer == expected[target]
        items = [item for item, _ in answer]
        rank = items.index(target_item) + 1 if target_item in items else None
        if target_item not in history:
            assert rank == ranks[target]


def test_a_longer_history_is_refused_and_its_older_items_come_again(shop: Project) -> None:
    """The service takes 100 events (project/docs/serving.md); SQL leaves out all that a user has seen."""
    user = f"select target_number, position from targets where user_id = '{REGULAR}' and split = 'test'"
    ((target, n_events),) = shop.rows(user)[1]
    assert n_events == REGULAR_EVENTS - 1
    history = {number: items for number, _, items in shop.rows(HISTORIES)[1]}[target]
    by_sql = [(item, score) for number, item, score in shop.rows(RANKINGS)[1] if number == target]
    with service(shop.target_dir, INDEX) as (url, _):
        from llm_i2i.serve.schemas import MAX_ITEMS, MAX_K

        with pytest.raises(urllib.error.HTTPError) as refused:
            post(f"{url}/recommend", {"items": history, "k": MAX_K})
        assert refused.value.code == 422
        assert json.load(refused.value)["problems"][0]["where"] == "items"
        answer = post(f"{url}/recommend", {"items": history[:MAX_ITEMS], "k": MAX_K})
    older = set(history[MAX_ITEMS:])
    found = [(i["item"], i["score"]) for i in answer["items"]]
    assert {item for item, _ in found} & older
    # ten triggers ask the index, so the older items change nothing else.
    assert [pair for pair in found if pair[0] not in older] == by_sql


# Users whose whole history the service takes.
SAMPLE = "select target_number from targets where split = 'test' and position <= {} order by hash(target_number) limit 1000"


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(not HAS_DATA, reason=f"needs the research data in {DATA}")
@pytest.mark.parametrize("recommender", ["cooccurrence_text", "swing"])
def test_the_service_answers_a_thousand_users_of_toys_as_sql_does(
    tmp_path: Path, recommender: str
) -> None:
    vars = {
        "interactions": str(DATA / "toys_and_games.interactions.parquet"),
        "items": str(DATA / "toys_and_games.items.parquet"),
        "order_column": "position",
        "recommender": recommender,
    }
    pytest.importorskip("msgspec", reason="needs the serve extra")
    from llm_i2i.serve.schemas import MAX_ITEMS, MAX_K

    toys = build(tmp_path, vars, select=" ".join(f"+{table}" for table in TABLES.split()))
    sample = SAMPLE.format(MAX_ITEMS)
    sampled = f"targets as (select * from targets where target_number in ({sample}))"
    expected = defaultdict(list)
    for target, item, score in toys.rows(RANKINGS.replace("with ", f"with {sampled}, ", 1))[1]:
        expected[target].append((str(item), score))
    histories = toys.rows(f"with {sampled} {HISTORIES}")[1]
    assert len(histories) == 1000
    n_ranked = 0
    with service(toys.target_dir, INDEX) as (url, _):
        for target, _, history in histories:
            answer = post(f"{url}/recommend", {"items": history, "k": MAX_K})
            if answer["fallback"]:
                assert not expected[target]
                continue
            assert [(i["item"], i["score"]) for i in answer["items"]] == expected[target][:MAX_K]
            n_ranked += 1
    assert n_ranked > 900


def test_settings_and_popular_items_are_those_of_the_build(
    shop: Project, index: ServingIndex
) -> None:
    assert (index.settings.decay, index.settings.exclude_seen) == (0.5, True)
    popular = shop.rows("select item_id from interactions_train group by item_id order by count(*) desc, item_id limit 5")[1]  # fmt: skip
    assert index.ids.many(recommend(index, [], 5).ranking.items) == [item for (item,) in popular]


def post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_the_command_serves_follows_publications_and_ends_on_sigterm(
    shop: Project,
) -> None:
    with service(shop.target_dir, INDEX) as (url, process):
        _follow_and_end(shop, url, process)


def _follow_and_end(shop: Project, url: str, process: subprocess.Popen[str]) -> None:
    query = {"items": ["nothing that is known"], "k": 3}
    first = post(f"{url}/recommend", query)
    assert first["fallback"] == "unknown_items"

    pointers = shop.environment.pointers()
    fewer = "select item_id, score, rank from read_parquet({}) where rank > 1"
    data = shop.store.data_path("popular_items", pointers["popular_items"].fingerprint)
    view = Pointer("fewer", fewer.format(f"'{data.resolve()}'"))
    shop.environment.publish({"popular_items": view})
    until = time.monotonic() + 60
    while (second := post(f"{url}/recommend", query))["version"] == first["version"]:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert [i["item"] for i in second["items"]][:2] == [i["item"] for i in first["items"]][1:]

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    shop.environment.publish({"popular_items": pointers["popular_items"]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "nobody"], "environment 'nobody' has no index to serve"),
        (["--index", "swing"], "has no 'swing'"),
        (["--host", "999.1.1.1"], "cannot listen on 999.1.1.1"),
    ],
)
def test_what_cannot_be_served_is_said(shop: Project, arguments: list[str], message: str) -> None:
    pytest.importorskip("uvicorn", reason="needs the serve extra")
    command = serve_command(shop.target_dir, INDEX, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert done.returncode == 2
    assert message in done.stderr
    assert "fix:" in done.stderr
