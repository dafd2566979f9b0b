"""YoutubeDNN: its examples against a few lines of plain Python, its loss by hand, and a pattern it must learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i.nearest import nearest_items
from llm_i2i.i2i.youtube_dnn import Settings, make_examples, sampled_loss, train_towers

torch = pytest.importorskip("torch")


def log(
    rows: list[tuple[int, int, int]], origins: list[str] | None = None, **columns: Any
) -> pa.Table:
    found = {
        "user_number": [u for u, _, _ in rows],
        "item_number": [i for _, i, _ in rows],
        "position": [p for _, _, p in rows],
        **columns,
    }
    return pa.table(found | ({"origin": origins} if origins else {}))


def circle(users: int = 150, items: int = 20, events: int = 6, seed: int = 1) -> pa.Table:
    """Everybody walks round a circle of items: after item i comes i + 1."""
    starts = np.random.default_rng(seed).integers(0, items, users)
    return log([(u, int(s + p) % items, p) for u, s in enumerate(starts) for p in range(events)])


def rows_of(examples: Any) -> set[tuple[int, tuple[int, ...], int, float]]:
    return {
        (int(u), tuple(h.tolist()), int(t), float(w))
        for u, h, t, w in zip(
            examples.users, examples.histories, examples.targets, examples.weights, strict=True
        )
    }


def test_examples_are_prefixes_padded_on_the_right() -> None:
    events = log([(9, 50, 2), (9, 30, 0), (9, 40, 1), (9, 60, 3), (4, 30, 0)])
    train, validation = make_examples(events, Settings(history=2, validation_share=0))
    # items 30, 40, 50, 60 are rows 0 to 3, and 1 more in a history; user 9 is row 1. User 4 has no event with a history.
    assert rows_of(train) == {
        (1, (1, 0), 1, 1.0),
        (1, (1, 2), 2, 1.0),
        (1, (2, 3), 3, 1.0),
    }
    assert len(validation) == 0


def test_synthetic_events_are_targets_and_enter_no_history() -> None:
    events = log(
        [(1, 10, 0), (1, 11, 1), (1, 12, 2), (1, 13, 3)],
        ["real", "real", "synthetic", "synthetic"],
        weight=[1.0, 1.0, 0.5, 0.5],
    )
    train, _ = make_examples(events, Settings(history=3, validation_share=0))
    assert rows_of(train) == {
        (0, (1, 0, 0), 1, 1.0),
        (0, (1, 2, 0), 2, 0.5),
        (0, (1, 2, 0), 3, 0.5),
    }
    injected, _ = make_examples(
        events, Settings(history=3, validation_share=0, inject_history=True)
    )
    assert rows_of(injected) - rows_of(train) == {(0, (1, 2, 3), 3, 0.5)}


def test_what_is_held_out_is_the_last_real_event_and_no_example() -> None:
    real = [(u, 10 * u + p, p) for u in range(40) for p in range(4)]
    synthetic = [(u, 1000 + u, 4) for u in range(40)]
    events = log(real + synthetic, ["real"] * 160 + ["synthetic"] * 40)
    train, validation = make_examples(events, Settings(validation_share=0.5))
    assert 10 < len(validation) < 30
    assert len(train) + len(validation) == 40 * 4
    for user, history, target, _ in rows_of(validation):
        assert target == 4 * user + 3
        assert history[:4] == (4 * user + 1, 4 * user + 2, 4 * user + 3, 0)
    held = set(validation.users.tolist())
    for user, history, target, _ in rows_of(train):
        assert not (user in held and target == 4 * user + 3)
        assert not (
            user in held and 4 * user + 4 in history
        )  # not in a synthetic event's history either


def test_accidental_hits_are_masked() -> None:
    logits, others = torch.tensor([1.0, 2.0]), torch.tensor([[5.0, 0.5], [5.0, 0.5]])
    targets, negatives = torch.tensor([7, 3]), torch.tensor([7, 4])
    weights = torch.tensor([1.0, 0.5])
    first = math.log(math.exp(1) + math.exp(0.5)) - 1  # the negative 7 is the target
    second = math.log(math.exp(2) + math.exp(5) + math.exp(0.5)) - 2
    found = sampled_loss(logits, targets, others, negatives, weights, 0.0)
    assert found.item() == pytest.approx((first + 0.5 * second) / 2, rel=1e-6)
    shifted = sampled_loss(logits[:1], targets[:1], others[:1], negatives, weights[:1], 1.5)
    assert shifted.item() == pytest.approx(math.log(math.exp(1) + math.exp(2)) - 1, rel=1e-6)


def test_all_negatives_masked_is_a_loss_of_nothing() -> None:
    found = sampled_loss(
        torch.tensor([1.0]),
        torch.tensor([2]),
        torch.tensor([[9.0]]),
        torch.tensor([2]),
        torch.ones(1),
        0.0,
    )
    assert found.item() == 0.0


def test_it_learns_what_follows_what() -> None:
    events = circle()
    last = events.filter(pc.equal(events["position"], 5))
    users, items = last["user_number"].to_numpy(), last["item_number"].to_numpy()
    queries = pa.table({"number": users, "user_number": users, "history": [[i] for i in items]})
    settings = Settings(
        dimensions=16,
        history=1,
        negatives=16,
        learning_rate=0.01,
        batch_size=64,
        epochs=20,
        validation_share=0,  # hit@10 of 20 items is 1 at once
    )
    found = train_towers(events, settings, queries=queries)
    best = nearest_items(
        pa.table({"number": found.query_numbers, "vector": list(found.queries)}),
        pa.table({"number": found.item_numbers, "vector": list(found.items)}),
        n=1,
    )
    follows = (items + 1) % 20 == best["item_number"].to_numpy()
    assert follows.mean() > 0.9  # one in twenty by chance
    assert found.epochs[-1].loss < found.epochs[0].loss


QUICK = {"dimensions": 8, "negatives": 8, "epochs": 3, "batch_size": 64}


def test_same_seed_same_vectors_and_the_caller_keeps_his_draws() -> None:
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    first = train_towers(circle(), Settings(**QUICK))
    assert torch.equal(torch.rand(1), before)
    again = train_towers(circle(), Settings(**QUICK))
    other = train_towers(circle(), Settings(**QUICK, random_seed=1))
    np.testing.assert_array_equal(first.items, again.items)
    assert not np.array_equal(first.items, other.items)


def test_synthetic_rows_change_it() -> None:
    real = circle()
    extra = log([(u, (u * 7) % 20, 6) for u in range(150)], ["synthetic"] * 150)
    both = pa.concat_tables([real.append_column("origin", pa.array(["real"] * len(real))), extra])
    plain = train_towers(real, Settings(**QUICK))
    assert not np.array_equal(plain.items, train_towers(both, Settings(**QUICK)).items)
    weightless = both.append_column("weight", pa.array([1.0] * len(real) + [0.0] * 150))
    np.testing.assert_array_equal(plain.items, train_towers(weightless, Settings(**QUICK)).items)


def test_it_stops_early_and_keeps_the_best_epoch() -> None:
    settings = Settings(
        **QUICK | {"epochs": 50, "learning_rate": 0.05}, min_epochs=4, validation_share=0.5
    )
    found = train_towers(circle(), settings)
    hits = [epoch.hit for epoch in found.epochs]
    best = int(np.argmax(hits))
    assert 4 <= len(hits) < 50
    assert len(hits) == max(4, best + 1 + settings.patience)
    cut = Settings(
        **QUICK | {"epochs": best + 1, "learning_rate": 0.05}, min_epochs=4, validation_share=0.5
    )
    np.testing.assert_array_equal(found.items, train_towers(circle(), cut).items)


def test_log_q_changes_the_loss_alone() -> None:
    one = train_towers(circle(), Settings(**QUICK | {"epochs": 1}))
    other = train_towers(circle(), Settings(**QUICK | {"epochs": 1}, log_q=True))
    # before anything is learned all logits are near 0: log(1 + 8) against log(1 + 8 * 20 / 8).
    assert one.epochs[0].loss == pytest.approx(math.log(9), abs=0.15)
    assert other.epochs[0].loss == pytest.approx(math.log(21), abs=0.15)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": 0}, "dimensions must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"validation_share": 1.0}, "validation_share must be at least 0 and at most 0.9"),
        ({"patience": 0}, "patience must be at least 1"),
    ],
)
def test_bad_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LlmI2iError, match=message):
        Settings(**changes)


def test_bad_events_and_queries() -> None:
    with pytest.raises(LlmI2iError, match="nothing to learn"):
        train_towers(log([(1, 1, 0), (2, 2, 0)]), Settings())
    with pytest.raises(LlmI2iError, match="lacks column 'position'"):
        train_towers(circle().drop_columns(["position"]), Settings())
    with pytest.raises(LlmI2iError, match="lacks column 'history'"):
        train_towers(
            circle(), Settings(**QUICK), queries=pa.table({"number": [1], "user_number": [1]})
        )
