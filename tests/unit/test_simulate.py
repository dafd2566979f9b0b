"""The made-up shop: what it implies in expectation is what many draws show."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.simulate import (
    Behaviour,
    Visits,
    ask,
    assign,
    draw_log,
    http_recommender,
    index_recommender,
    log_tables,
    make_shop,
    plan_requests,
    shop_of_log,
    true_values,
)
from llm_i2i.simulate.behaviour import draw_logs
from llm_i2i.simulate.visits import NO_ITEM


def test_an_index_sums_its_lists_with_decay() -> None:
    rows = [("a", "x", 1.0), ("a", "b", 0.9), ("b", "x", 0.2), ("b", "y", 4.0), ("b", "z", 2.0)]
    recommend = index_recommender(*zip(*rows, strict=True))
    assert recommend(["a", "b"], 9) == ["y", "x", "z"]  # 2.0, 1.1, 1.0; b itself is seen
    assert recommend(["b", "a"], 2) == ["y", "z"]
    assert recommend(["nobody", "a"], 9) == ["x", "b"]
    assert recommend([], 9) == recommend(["nobody"], 9) == []
    plain = index_recommender(*zip(*rows, strict=True), exclude_seen=False, decay=0.1)
    assert plain(["a", "b"], 9) == ["x", "b", "y", "z"]
    # ties go by id.
    assert index_recommender("ttt", "cab", [1, 1, 1])(["t"], 2) == ["a", "b"]


class Broken(BaseHTTPRequestHandler):
    """Answers something, but no list of items."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path[1:].encode())

    def log_message(self, *details: Any) -> None:
        pass


@pytest.mark.parametrize("answer", ["{}", "[]", "7", '{"items":7}', '{"items":[{}]}', "<html>"])
def test_an_answer_without_items_is_refused(answer: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with (
            http_recommender(f"http://127.0.0.1:{server.server_port}/{answer}") as ask,
            pytest.raises(LlmI2iError, match="has no list of items"),
        ):
            ask(["x"], 3)
        thread.join()


def visits() -> Visits:
    shop = make_shop(users=150, items=80, groups=6, seed=3)
    requests = plan_requests(shop, days=4, days_before=2, a_day=0.8, seed=3)
    draw = np.random.default_rng(1)

    def any_items(history: object, k: int) -> list[str]:
        chosen = draw.choice(80, size=draw.integers(0, 6), replace=False)  # at times nothing
        return [shop.items[n] for n in chosen]

    best = shop.vectors @ shop.vectors.T

    def similar(history: list[str], k: int) -> list[str]:
        return [shop.items[n] for n in np.argsort(-best[shop.items.index(history[0])])[1 : k + 1]]

    answers = {"control": ask(shop, requests, any_items, k=9, page=5)}
    answers["treatment"] = ask(shop, requests, similar, k=9, page=5)
    return Visits(shop, requests, answers)


def test_the_truth_is_the_mean_of_many_draws() -> None:
    shown, behaviour = visits(), Behaviour(latency_noise=0.7)
    users, test = len(shown.shop.users), shown.is_test
    for arm, name in enumerate(shown.arms):
        truth = true_values(shown, name, behaviour)
        logs = draw_logs(shown, [np.full(users, arm)] * 150, behaviour, seed=2)
        user = shown.requests.user[test]
        exposed = np.bincount(user, (logs[0].shown[test] != NO_ITEM).any(axis=1), users) > 0
        sums = {k: [] for k in ("clicks", "orders", "buyers", "amount", "latency", "p95")}
        for log in logs:
            ordered = log.ordered[test]
            sums["clicks"].append(log.clicked[test].sum())
            sums["orders"].append(ordered.sum())
            sums["buyers"].append((np.bincount(user, ordered.sum(axis=1), users) > 0).sum())
            sums["amount"].append((ordered * shown.shop.prices[log.shown[test]]).sum())
            sums["latency"].append(log.latency[test].mean())
            sums["p95"].append(np.quantile(log.latency[test], 0.95))
        n_shown = (logs[0].shown[test] != NO_ITEM).sum()
        wanted = {
            "clicks": truth["ctr"] * n_shown,
            "orders": truth["cvr"] * truth["ctr"] * n_shown,
            "buyers": truth["l2p"] * exposed.sum(),
            "amount": truth["gmv"] * exposed.sum(),
            "latency": truth["latency"],
            "p95": truth["latency_p95"],
        }
        for key, value in wanted.items():
            error = np.std(sums[key]) / np.sqrt(len(logs))
            slack = 0.01 * value if key == "p95" else 0  # a sample's quantile is biased
            assert abs(np.mean(sums[key]) - value) < 4 * error + slack, (name, key)
        assert truth["rn"] == logs[0].n_retrieved[test].mean()


def test_arms_are_dealt_by_hash() -> None:
    users = [f"u{n}" for n in range(8000)]
    arms = assign(users, [2, 1, 1], "salt")
    assert np.bincount(arms) / 8000 == pytest.approx([0.5, 0.25, 0.25], abs=0.02)
    assert (assign(users[::-1], [2, 1, 1], "salt")[::-1] == arms).all()  # of the user alone
    other = assign(users, [2, 1, 1], "pepper")
    assert (arms == other).mean() == pytest.approx(0.375, abs=0.03)  # independent of each other


def test_a_log_holds_together() -> None:
    shown = visits()
    log = draw_log(shown, assign(shown.shop.users, [1, 1], "s"), Behaviour(other_orders=0.5), seed=4)  # fmt: skip
    tables = log_tables(log)
    days = pc.strftime(tables["requests"]["ts"], "%Y-%m-%d")
    assert set(days.to_pylist()) == {"2025-03-01", "2025-03-02", *(f"2025-03-0{n}" for n in range(3, 7))}  # fmt: skip
    before = pc.less(days, "2025-03-03")
    assert set(tables["requests"].filter(before)["arm"].to_pylist()) == {"control"}
    exposed = set(zip(*(tables["exposures"][c].to_pylist() for c in ("req_id", "item")), strict=True))  # fmt: skip
    clicked = set(zip(*(tables["clicks"][c].to_pylist() for c in ("req_id", "item")), strict=True))
    assert clicked <= exposed
    seen = set(zip(*(tables["exposures"][c].to_pylist() for c in ("user", "item")), strict=True))
    orders = list(zip(*(tables["orders"][c].to_pylist() for c in ("user", "item")), strict=True))
    n_credited = int(log.ordered.sum())
    assert all(pair in seen for pair in orders[:n_credited])
    assert len(orders) > n_credited
    assert not any(pair in seen for pair in orders[n_credited:])  # of nobody's merit


def test_a_shop_of_a_log_likes_what_it_bought() -> None:
    items = {n: f"{'kite' if n < 5 else 'drum'} number {n}" for n in range(10)}
    shop = shop_of_log(items, {"k": [0, 1, 2], "d": [5, 6, 7, 99], "once": [3]}, seed=1)
    assert shop.users == ["k", "d"]
    assert [h.tolist() for h in shop.histories] == [[0, 1], [5, 6]]  # the last is still to come
    liking = shop.tastes @ shop.vectors.T
    assert liking[0, :5].min() > liking[0, 5:].max()
    assert liking[1, 5:].min() > liking[1, :5].max()
