"""A judge of rare hits must leave its prior: balanced weights, enough steps, a validation AUC that decides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import checkpoint_digest
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.trainer import LogRow
from llm_i2i.lm.training.validation import auc_of, chance_error

# The settings of the judge of item pairs (models/pairs/part.yml) before it had to leave its prior.
PAIR_MODEL = {
    "hidden_size": 64, "num_heads": 4, "epochs": 3, "batch_size": 256, "learning_rate": 0.002,
    "dropout": 0.1, "init": "normal",
}  # fmt: skip
PRIOR = 0.003
PER_HIT = 12


def rows(hits: int, seed: int, *, balanced: bool) -> pa.Table:
    """Prompts of twelve signals, one of which says something, with twelve misses drawn for each hit."""
    draw = np.random.default_rng(seed)
    is_hit = np.arange(hits * (1 + PER_HIT)) < hits
    words = [[f"noise{n}_{bucket}" for n, bucket in enumerate(draw.integers(0, 16, 11))] for _ in is_hit]  # fmt: skip
    signal = np.clip(draw.integers(0, 16, len(is_hit)) + is_hit * draw.integers(4, 16, len(is_hit)), 0, 15)  # fmt: skip
    prompts = [
        " ".join([*noise, f"signal_{value}"]) for noise, value in zip(words, signal, strict=True)
    ]
    miss = 1.0 / PER_HIT if balanced else (1 - PRIOR) / PRIOR / PER_HIT
    weight = np.where(is_hit, 1.0, miss)
    order = draw.permutation(len(is_hit))
    return pa.table(
        {
            "prompt": [prompts[row] for row in order],
            "completion": ["Yes" if is_hit[row] else "No" for row in order],
            "weight": (weight / weight.mean())[order],
        }
    )


def judged(folder: Path, table: pa.Table) -> npt.NDArray[np.float64]:
    logits = backend_for(folder).label_logits(table["prompt"].to_pylist(), ["Yes", "No"])
    return (logits[:, 0] - logits[:, 1]).astype(np.float64)


def is_yes(table: pa.Table) -> npt.NDArray[np.bool_]:
    return np.array([answer == "Yes" for answer in table["completion"].to_pylist()])


def train(folder: Path, table: pa.Table, validation: pa.Table | None, **values: object) -> list[LogRow]:  # fmt: skip
    settings = settings_from({**PAIR_MODEL, **values})
    return train_checkpoint(table, folder, settings, random_seed=42, validation=validation)


def test_it_leaves_the_prior(tmp_path: Path) -> None:
    """Three hits in a thousand: with their true weights every row got the same answer."""
    new = rows(100, 99, balanced=True)
    train(tmp_path / "before", rows(150, 1, balanced=False), None)
    assert judged(tmp_path / "before", new).std() < 0.05
    log = train(
        tmp_path / "now", rows(150, 1, balanced=True), rows(40, 2, balanced=True), min_steps=400
    )
    assert auc_of(judged(tmp_path / "now", new), is_yes(new)) > 0.8  # the signal itself has .88
    # It has learned something, so that it need not run to the end; the first losses are about those of a coin,
    # as hits and misses weigh alike (a step weighs more or less, by the hits that fall into it).
    assert log[-1].attempt == 1
    assert log[-1].step < 400
    assert log[0].loss == pytest.approx(np.log(2), abs=0.2)


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "min_steps": 20}
    for name in ("a", "b"):
        train(tmp_path / name, rows(30, 1, balanced=True), rows(10, 2, balanced=True), **small)
    assert checkpoint_digest(tmp_path / "a") == checkpoint_digest(tmp_path / "b")


def noise(hits: int, seed: int) -> pa.Table:
    """Rows without their one signal."""
    table = rows(hits, seed, balanced=True)
    prompts = [prompt.rsplit(" ", 1)[0] for prompt in table["prompt"].to_pylist()]
    return table.set_column(0, "prompt", pa.array(prompts))


def test_what_cannot_be_learned_is_tried_again_and_the_log_says_so(tmp_path: Path) -> None:
    small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "min_steps": 30, "retries": 2}
    log = train(tmp_path / "noise", noise(30, 1), noise(60, 4), **small)
    assert {row.attempt for row in log} == {1, 2, 3}
    # None of the attempts may end before it has had all its steps.
    assert {max(row.step for row in log if row.attempt == n) for n in (1, 2, 3)} == {30}
    told = [row.validation_auc for row in log if row.validation_auc is not None]
    assert max(told) < 0.5 + 4 * chance_error(is_yes(noise(60, 4)))


def test_epochs_are_added_until_the_steps_are_reached(tmp_path: Path) -> None:
    small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "epochs": 1}
    table = rows(30, 1, balanced=True)
    once = train(tmp_path / "once", table, None, **small)[-1].step
    longer = train(tmp_path / "longer", table, None, min_steps=5 * once - 1, **small)[-1]
    assert (longer.step, longer.epoch) == (5 * once, 5.0)


def test_the_auc_is_how_often_a_hit_beats_a_miss() -> None:
    draw = np.random.default_rng(4)
    scores, hit = draw.integers(0, 9, 200).astype(float), draw.random(200) < 0.2
    pairs = [(h > m) + (h == m) / 2 for h in scores[hit] for m in scores[~hit]]
    assert auc_of(scores, hit) == pytest.approx(np.mean(pairs))
    chance = [auc_of(draw.random(200), hit) for _ in range(2000)]
    assert np.std(chance) == pytest.approx(chance_error(hit), rel=0.1)


def test_validation_rows_that_cannot_judge_are_left_out(tmp_path: Path) -> None:
    small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "epochs": 1}
    table = rows(20, 1, balanced=True)
    for name, few in (("none", table.slice(0, 0)), ("misses", table.filter(pa.array(~is_yes(table))))):  # fmt: skip
        log = train(tmp_path / name, table, few, **small)
        assert {row.validation_auc for row in log} == {None}


def test_validation_rows_have_the_answers_of_the_examples(tmp_path: Path) -> None:
    table = rows(20, 1, balanced=True)
    strange = table.set_column(1, "completion", pa.array(["Maybe"] * table.num_rows))
    with pytest.raises(LlmI2iError, match="'Maybe'"):
        train(tmp_path / "x", table, strange)
    one_answer = table.set_column(1, "completion", pa.array(["Yes"] * table.num_rows))
    with pytest.raises(LlmI2iError, match="two answers"):
        train(tmp_path / "y", one_answer, table)
