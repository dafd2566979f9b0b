"""YoutubeDNN with LLM-CF's feature module (method.md 6.4): a small transformer reads four in-context examples beside the user tower.

torch is imported inside the functions, as in youtube_dnn.py, whose tower, examples and training these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llm_i2i.i2i.events import Ints, Vectors, missing_package, numbers, read_events, require_columns
from llm_i2i.i2i.llm_cf import Floats, example_keys
from llm_i2i.i2i.youtube_dnn import (
    PADDING,
    Examples,
    Progress,
    Settings,
    Towers,
    _fit,
    _model,
    _one_thread,
    _queries,
    _user_vectors,
    make_examples,
)

WHERE = "llm_cf_tower"
OF_EACH_LABEL = 2  # in-context examples answered Yes, and as many No
N_CONTEXT = 2 * OF_EACH_LABEL
WIDTH, HEADS, LAYERS = 32, 2, 2  # of the transformer, as in LLM-CF's code
NO_EXAMPLE = 0  # row 0 of the reasoning set stands where there is none
YES, NO, NOTHING = 1, 0, 2
SCORED_AT_ONCE = 8_000_000  # similarities in memory


@dataclass(frozen=True)
class ReasoningSet:
    """The rows a context is drawn from; row 0 is empty.

    Attributes:
        users: Row of the user; the last for nobody.
        histories: Items + 1, `PADDING` on the right, shape (rows, history).
        items: Item + 1, `PADDING` for one without a train event.
        labels: `YES`, `NO` or, in row 0, `NOTHING`.
        history_texts: Mean text embedding of the history, shape (rows, d).
        item_texts: Text embedding of the item.
        reasonings: Text embedding of the reasoning, zero for none.
    """

    users: Ints
    histories: npt.NDArray[np.int32]
    items: Ints
    labels: Ints
    history_texts: Vectors
    item_texts: Vectors
    reasonings: Vectors


def train_llm_cf(
    events: pa.Table,
    examples: pa.Table,
    embeddings: pa.Table,
    settings: Settings,
    *,
    queries: pa.Table,
    similarity: str = "cosine",
    reconstruction_weight: float = 1.0,
    progress: Progress | None = None,
) -> Towers:
    """Vectors of the items and of the queries.

    A context is found by the history alone, among other users' rows. LLM-CF lets a training row find rows of its own user, itself
    among them, which hands it the answer; here it does not.

    Args:
        events: As `train_towers` takes them. Train part only.
        examples: `user_number`, `item_number`, `answer`, `history` and `embedding` of the reasoning, null for none. Order settles ties.
        embeddings: `item_number` (0, 1, ...), `embedding`: text of each item of the catalogue.
        queries: As `train_towers` takes them.
        similarity: `cosine` or `dot`, see `example_keys`.
        reconstruction_weight: Of the loss 1 - cosine between a reasoning and what the transformer makes of its example.

    Raises:
        LlmI2iError: The relations do not fit, or torch is not installed.
    """
    log = read_events(events, WHERE)
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing_package(error, WHERE) from error

    texts = np.array(embeddings["embedding"].to_pylist(), dtype=np.float32)
    item_texts = np.concatenate(
        [np.zeros((1, texts.shape[1]), np.float32), texts[log.item_numbers]]
    )
    rows = _reasoning_set(examples, texts, log.user_numbers, log.item_numbers, settings.history)
    n_users, n_items = len(log.user_numbers), len(log.item_numbers)

    def with_context(part: Examples) -> Examples:
        found = nearest_examples(part.users, part.histories, rows, item_texts, similarity)
        wide = np.concatenate([part.histories, found.astype(np.int32)], axis=1)
        return Examples(part.users, wide, part.targets, part.weights)

    train, validation = make_examples(events, settings)
    asked = _queries(queries, log.user_numbers, log.item_numbers, settings.history)
    context = nearest_examples(asked[1], asked[2], rows, item_texts, similarity)
    wide = np.concatenate([asked[2], context.astype(np.int32)], axis=1)
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(settings.random_seed)
        tower = _model(n_users, n_items, settings)
        model = _with_module(tower, rows, item_texts, settings.dimensions, reconstruction_weight)
        epochs = _fit(
            model, with_context(train), with_context(validation), n_items, settings, progress
        )
        return Towers(
            query_numbers=asked[0],
            queries=_user_vectors(model, asked[1], wide),
            item_numbers=log.item_numbers,
            items=model.items.weight.detach()[1:].numpy().copy(),
            epochs=tuple(epochs),
        )


def nearest_examples(
    users: Ints,
    histories: npt.NDArray[np.int32],
    rows: ReasoningSet,
    item_texts: Vectors,
    similarity: str,
) -> Ints:
    """Rows of the set for each history, shape (histories, 4): two answered Yes, then two answered No, each pair best first.

    Other users' rows only; `NO_EXAMPLE` where there are too few. Ties go to the earlier row.

    Args:
        users: Row of the user of each history.
        histories: Items + 1, padded.
        item_texts: Text of item + 1, shape (items + 1, d).
    """
    nothing = np.zeros((len(rows.users), rows.history_texts.shape[1]))
    keys = example_keys(rows.history_texts.astype(np.float64), nothing, 0.0, similarity)
    result = np.full((len(users), N_CONTEXT), NO_EXAMPLE, dtype=np.int64)
    for label, first in ((YES, 0), (NO, OF_EACH_LABEL)):
        chosen = np.flatnonzero(rows.labels == label)
        if not len(chosen):
            continue
        step = max(1, SCORED_AT_ONCE // len(chosen))
        for start in range(0, len(users), step):
            part = slice(start, start + step)
            scores = (_mean_texts(histories[part], item_texts) @ keys[chosen].T).astype(np.float32)
            scores[users[part, None] == rows.users[chosen][None, :]] = -np.inf
            lines = np.arange(len(scores))
            for place in range(first, first + OF_EACH_LABEL):
                best = scores.argmax(axis=1)
                found = scores[lines, best] > -np.inf
                result[part, place] = np.where(found, chosen[best], NO_EXAMPLE)
                scores[lines, best] = -np.inf
    return result


def _mean_texts(histories: npt.NDArray[np.int32], item_texts: Vectors) -> Floats:
    lengths = np.maximum((histories != PADDING).sum(axis=1, keepdims=True), 1)
    total = np.zeros((len(histories), item_texts.shape[1]))
    for column in histories.T:  # row 0 is zero
        total += item_texts[column]
    means: Floats = total / lengths
    return means


def _reasoning_set(
    examples: pa.Table, texts: Vectors, user_numbers: Ints, item_numbers: Ints, length: int
) -> ReasoningSet:
    require_columns(
        examples, ["user_number", "item_number", "answer", "history", "embedding"], WHERE
    )
    asked = pa.table(
        {
            "number": pa.array(range(len(examples)), pa.int64()),
            "user_number": examples["user_number"],
            "history": examples["history"],
        }
    )
    _, users, histories = _queries(asked, user_numbers, item_numbers, length)
    histories = histories.reshape(len(examples), length)
    items = numbers(examples, "item_number", WHERE).astype(np.int64)
    places = np.searchsorted(item_numbers, items).clip(max=len(item_numbers) - 1)
    known = item_numbers[places] == items
    width = texts.shape[1]
    empty = [0.0] * width
    reasonings: Sequence[Sequence[float]] = [
        row or empty for row in examples["embedding"].to_pylist()
    ]
    answers = np.array([answer == "Yes" for answer in examples["answer"].to_pylist()], dtype=bool)
    own_texts = np.concatenate([np.zeros((1, width), np.float32), texts[item_numbers]])
    none = np.zeros((1, width), np.float32)
    return ReasoningSet(
        users=np.append(len(user_numbers), users).astype(np.int64),
        histories=np.concatenate([np.zeros((1, length), np.int32), histories]).astype(np.int32),
        items=np.append(PADDING, np.where(known, places + 1, PADDING)).astype(np.int64),
        labels=np.append(NOTHING, np.where(answers, YES, NO)).astype(np.int64),
        history_texts=np.concatenate([none, _mean_texts(histories, own_texts)]).astype(np.float32),
        item_texts=np.concatenate([none, texts[items]]),
        reasonings=np.concatenate([none, np.array(reasonings, np.float32).reshape(-1, width)]),
    )


def _with_module(
    tower: Any, rows: ReasoningSet, item_texts: Vectors, width: int, weight: float
) -> Any:
    """The tower and the module as one network. Its histories carry the four rows of their context behind them."""
    import torch
    from torch import nn
    from torch.nn import functional

    n_texts = item_texts.shape[1]

    class LlmCfTower(nn.Module):
        extra_loss: Any = None  # of the last forward pass, for `_fit`

        def __init__(self) -> None:
            super().__init__()
            self.tower, self.users, self.items = tower, tower.users, tower.items
            self.read_text = nn.Sequential(nn.Linear(n_texts, 64), nn.ReLU(), nn.Linear(64, WIDTH))
            self.write_text = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, n_texts))
            self.read_row = nn.Sequential(
                nn.Linear(3 * width + 2 * WIDTH, 64), nn.ReLU(), nn.Linear(64, WIDTH)
            )
            self.labels = nn.Embedding(3, WIDTH)
            self.places = nn.Parameter(torch.randn(3 * N_CONTEXT + 1, WIDTH) * 0.02)
            layer = nn.TransformerEncoderLayer(
                WIDTH, HEADS, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            self.transformer = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
            self.join = nn.Sequential(
                nn.Linear(width + WIDTH, width), nn.GELU(), nn.Linear(width, width)
            )
            for name in ("users", "items", "labels"):
                values = torch.from_numpy(getattr(rows, name))
                self.register_buffer(f"row_{name}", values, persistent=False)
            self.register_buffer("row_histories", torch.from_numpy(rows.histories).long(), False)
            for name in ("history_texts", "item_texts", "reasonings"):
                values = torch.from_numpy(getattr(rows, name))
                self.register_buffer(f"row_{name}", values, persistent=False)
            self.register_buffer("texts", torch.from_numpy(item_texts), persistent=False)
            mask = nn.Transformer.generate_square_subsequent_mask(3 * N_CONTEXT + 1)
            self.register_buffer("mask", mask, persistent=False)

        def forward(self, users: Any, wide: Any) -> Any:
            histories, context = wide[:, :-N_CONTEXT], wide[:, -N_CONTEXT:]
            nobody = torch.full_like(users, PADDING)
            own_texts = self.texts[histories].sum(dim=1) / self._lengths(histories)
            # The current row hides its item: it is what is to be found.
            current = self._row(users, histories, nobody, own_texts, self.texts[nobody])
            shown = self._row(
                self.row_users[context],
                self.row_histories[context],
                self.row_items[context],
                self.row_history_texts[context],
                self.row_item_texts[context],
            )
            reasonings = self.row_reasonings[context]
            told = torch.stack(
                [shown, self.read_text(reasonings), self.labels(self.row_labels[context])], dim=2
            ).flatten(1, 2)  # (batch, 12, WIDTH): row, reasoning, label, row, ...
            tokens = torch.cat([told, current[:, None]], dim=1) + self.places
            states = self.transformer(tokens, mask=self.mask, is_causal=True)
            self.extra_loss = self._reconstruction(states, reasonings)
            base = self.tower(users, histories)
            return self.join(torch.cat([base, states[:, -1]], dim=1))

        def _row(self, users: Any, histories: Any, items: Any, texts: Any, item_texts: Any) -> Any:
            taste = self.items(histories).sum(dim=-2) / self._lengths(histories)
            parts = [self.users(users), taste, self.items(items)]
            return self.read_row(
                torch.cat([*parts, self.read_text(texts), self.read_text(item_texts)], dim=-1)
            )

        def _lengths(self, histories: Any) -> Any:
            return (histories != PADDING).sum(dim=-1, keepdim=True).clamp(min=1)

        def _reconstruction(self, states: Any, reasonings: Any) -> Any:
            """weight x (1 - mean cosine) over the examples that have a reasoning; None without any."""
            there = reasonings.abs().sum(dim=-1) > 0
            if not torch.is_grad_enabled() or not bool(there.any()):
                return None
            # The state of an example's row has not met its reasoning yet.
            guessed = self.write_text(states[:, 0 : 3 * N_CONTEXT : 3])
            cosine = functional.cosine_similarity(guessed, reasonings, dim=-1)
            return weight * (1 - cosine[there].mean())

    return LlmCfTower()
