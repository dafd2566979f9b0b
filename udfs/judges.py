"""`from judge_scores((select is_hit, weight, ...), candidates := (select ...), judge := 'boosting')`: judges without a language model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.udf import UdfContext, table_udf

Floats = npt.NDArray[np.float64]
KEYS = ("user_number", "item_number", "related_item_number")
LABELS = ("is_hit", "weight")
WHERE = "judge_scores"
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse regularisation of the logistic regression
MAX_TREES = 300
FALLBACK = {"logistic": 1.0, "boosting": 100.0}  # without validation rows of both kinds


@table_udf(returns={**dict.fromkeys(KEYS, "BIGINT"), "margin": "DOUBLE"})
def judge_scores(
    examples: pa.Table,
    *,
    candidates: pa.Table,
    validation: pa.Table | None = None,
    judge: str = "boosting",
    random_seed: int = 42,
    context: UdfContext,
) -> pa.Table:
    """The logit of P(hit) of each candidate, under the share of hits that the weights of the examples have (scikit-learn).

    `logistic` is a logistic regression on each signal's logarithm, standardised, with a 0/1 column that says where it is 0.
    `boosting` is histogram gradient boosting of small trees. The validation rows choose the strength of the regression or the number
    of trees, by the weighted log loss; then the judge is fitted once more, on examples and validation rows together. All of it
    runs in one thread, so that equal rows give equal margins on any number of cores.

    Args:
        examples: `is_hit`, `weight` and one numeric column a signal, in an order that a rerun repeats.
        candidates: Some of `user_number`, `item_number` and `related_item_number`, which come back as they are (those that are
            not there are null), and the same signals.
        validation: Rows as in `examples`, of other users.

    Raises:
        LlmI2iError: scikit-learn is not installed, the judge is unknown, or the examples hold no hit or no miss.
    """
    if judge not in FALLBACK:
        raise LlmI2iError(
            f"there is no judge {judge!r}", where=WHERE, fix=f"take one of {', '.join(FALLBACK)}"
        )
    try:
        import sklearn  # noqa: F401
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise LlmI2iError(
            f"the judge {judge} needs scikit-learn, which is not installed",
            where="the var judge, or gradient_boosting_reference",
            fix="pip install 'llm_i2i[local]', or set judge to small and gradient_boosting_reference to false",
        ) from error
    signals = [name for name in examples.column_names if name not in LABELS]
    learnt = _rows(examples, signals)
    if len(np.unique(learnt.is_hit)) < 2:
        raise LlmI2iError(
            "a judge needs both hits and misses to learn from",
            where=f"the first argument of {WHERE}",
            found=f"{int(learnt.is_hit.sum())} hits in {len(learnt.is_hit)} rows",
            fix="propose more candidates (candidates_per_user, pair_candidates), or take a longer log",
        )
    checked = _rows(validation, signals) if validation is not None else None
    model: _Judge = _Logistic() if judge == "logistic" else _Boosting(random_seed)
    with threadpool_limits(limits=1):
        size, loss = FALLBACK[judge], float("nan")
        if checked is not None and len(np.unique(checked.is_hit)) == 2:
            losses = {size: checked.loss(m) for size, m in model.margins(learnt, checked)}
            size = min(losses, key=lambda size: losses[size])
            loss = losses[size]
            learnt = learnt.with_rows(checked)
        model.fit(learnt, size)
        margin = model.margin(_matrix(candidates, signals))
    context.progress(1, 1, f"{judge} {size:g}, validation loss {loss:.3f}")
    given = {name: candidates[name].cast(pa.int64()) for name in KEYS if name in candidates.column_names}  # fmt: skip
    nothing = pa.nulls(candidates.num_rows, pa.int64())
    return pa.table({**{name: given.get(name, nothing) for name in KEYS}, "margin": margin})


@dataclass(frozen=True)
class _Rows:
    """Labelled rows: signals, shape (rows, signals); whether each is a hit; its weight."""

    signals: Floats
    is_hit: npt.NDArray[np.bool_]
    weight: Floats

    def with_rows(self, other: _Rows) -> _Rows:
        return _Rows(
            np.concatenate([self.signals, other.signals]),
            np.concatenate([self.is_hit, other.is_hit]),
            np.concatenate([self.weight, other.weight]),
        )

    def loss(self, margin: Floats) -> float:
        """Weighted mean log loss of margins, in nats."""
        signed = np.where(self.is_hit, margin, -margin)
        return float(np.average(np.logaddexp(0.0, -signed), weights=self.weight))


class _Judge(Protocol):
    def margins(self, learnt: _Rows, checked: _Rows) -> Iterator[tuple[float, Floats]]:
        """Margins of the rows to check, for each size that the judge may have."""
        ...

    def fit(self, learnt: _Rows, size: float) -> None: ...

    def margin(self, signals: Floats) -> Floats: ...


class _Logistic:
    """Logistic regression; its size is the inverse of its regularisation."""

    def margins(self, learnt: _Rows, checked: _Rows) -> Iterator[tuple[float, Floats]]:
        for size in STRENGTHS:
            self.fit(learnt, size)
            yield size, self.margin(checked.signals)

    def fit(self, learnt: _Rows, size: float) -> None:
        from sklearn.linear_model import LogisticRegression

        logs = _logarithms(learnt.signals)
        there = logs != 0
        n = np.maximum(there.sum(axis=0), 1)
        self.mean = logs.sum(axis=0) / n
        spread = np.sqrt((np.where(there, logs - self.mean, 0.0) ** 2).sum(axis=0) / n)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.model = LogisticRegression(C=size, max_iter=1000)
        self.model.fit(self._columns(logs), learnt.is_hit, sample_weight=learnt.weight)

    def margin(self, signals: Floats) -> Floats:
        found: Floats = self.model.decision_function(self._columns(_logarithms(signals)))
        return found

    def _columns(self, logs: Floats) -> Floats:
        """Standardised logarithms, 0 where the signal is 0, beside whether it is."""
        there = logs != 0
        return np.hstack([np.where(there, (logs - self.mean) / self.spread, 0.0), ~there])


class _Boosting:
    """Histogram gradient boosting; its size is the number of trees."""

    def __init__(self, random_seed: int) -> None:
        self.random_seed = random_seed

    def margins(self, learnt: _Rows, checked: _Rows) -> Iterator[tuple[float, Floats]]:
        self.fit(learnt, MAX_TREES)
        staged = self.model.staged_decision_function(checked.signals)
        for trees, margin in enumerate(staged, start=1):
            yield float(trees), margin.ravel()

    def fit(self, learnt: _Rows, size: float) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.model: Any = HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=int(size),
            max_leaf_nodes=15,
            min_samples_leaf=50,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=self.random_seed,
        )
        self.model.fit(learnt.signals, learnt.is_hit, sample_weight=learnt.weight)

    def margin(self, signals: Floats) -> Floats:
        found: Floats = self.model.decision_function(signals)
        return found


def _rows(table: pa.Table, signals: list[str]) -> _Rows:
    is_hit = table["is_hit"].to_numpy(zero_copy_only=False).astype(np.bool_)
    weight = table["weight"].to_numpy(zero_copy_only=False).astype(np.float64)
    return _Rows(_matrix(table, signals), is_hit, weight)


def _matrix(table: pa.Table, signals: list[str]) -> Floats:
    """The signals as float64, shape (rows, signals); one that is missing is 0, as where it is not computed."""
    columns = [table[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in signals]
    return np.nan_to_num(np.column_stack(columns), nan=0.0)


def _logarithms(signals: Floats) -> Floats:
    """log(1 + |x|) with the sign of x: counts and scores have long tails."""
    return np.asarray(np.sign(signals) * np.log1p(np.abs(signals)))
