"""YoutubeDNN (Covington et al. 2016) in the form LLM-CF compares with (method.md 6.3): user tower, item embeddings, sampled softmax.

torch is imported inside the functions, so that a project without this recommender never loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i.events import (
    Ints,
    Vectors,
    check_setting,
    missing_package,
    numbers,
    read_events,
    require_columns,
)

WHERE = "youtube_dnn"
PADDING = 0  # row 0 of the item table; an item is its number + 1

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Settings:
    """As LLM-CF's code has them, but `validation_share` and `min_epochs`.

    Attributes:
        dimensions: Width of user vectors, item vectors and layers.
        history: Most recent events before the target that are averaged.
        negatives: Items drawn uniformly for each step, shared by its examples.
        log_q: The negatives stand for the whole catalogue: log(items / negatives) is added to their logits.
        epochs: At most.
        min_epochs: Before these are over training does not stop: the first epochs learn what is popular, and hit@10 falls back
            for some before it learns what is whose (Toys: .011, .006, then .037).
        patience: Stop after so many epochs without a better hit@10 on validation.
        validation_share: Users of three events or more whose last train event is no example and chooses the epoch; 0: none, and
            `epochs` are run.
        inject_history: Histories hold synthetic events too.
    """

    dimensions: int = 64
    history: int = 20
    negatives: int = 128
    log_q: bool = False
    learning_rate: float = 0.001
    weight_decay: float = 0.00001
    batch_size: int = 256
    epochs: int = 50
    min_epochs: int = 10
    patience: int = 2
    validation_share: float = 0.1
    inject_history: bool = False
    random_seed: int = 2023

    def __post_init__(self) -> None:
        for name in ("dimensions", "history", "negatives", "batch_size", "epochs", "patience"):
            check_setting(name, getattr(self, name), WHERE, low=1)
        check_setting("min_epochs", self.min_epochs, WHERE, low=0)
        check_setting("learning_rate", self.learning_rate, WHERE, low=0, above=True)
        check_setting("weight_decay", self.weight_decay, WHERE, low=0)
        check_setting("validation_share", self.validation_share, WHERE, low=0, high=0.9)


@dataclass(frozen=True)
class Examples:
    """What the tower reads and should answer, one row an example.

    Attributes:
        users: Row of the user.
        histories: Items + 1, oldest first, `PADDING` on the right; shape (rows, history).
        targets: Row of the item.
        weights: Of each example in the loss.
    """

    users: Ints
    histories: npt.NDArray[np.int32]
    targets: Ints
    weights: Vectors

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class Epoch:
    """One pass: mean loss of its examples in nats, and hit@10 on the validation examples (None without any)."""

    number: int
    loss: float
    hit: float | None


@dataclass(frozen=True)
class Towers:
    """Score of an item for a query = inner product of their vectors.

    Attributes:
        queries: float32, shape (queries, dimensions).
        items: float32, shape (items, dimensions), one row for each of `item_numbers`.
        epochs: What training saw; the vectors are those after the epoch of the best hit.
    """

    query_numbers: Ints
    queries: Vectors
    item_numbers: Ints
    items: Vectors
    epochs: tuple[Epoch, ...]


def train_towers(
    events: pa.Table,
    settings: Settings,
    *,
    queries: pa.Table | None = None,
    progress: Progress | None = None,
) -> Towers:
    """Vectors of the items and, where there are queries, of these.

    Args:
        events: `user_number`, `item_number`, `position` and optionally `weight` and `origin` (real or synthetic). A synthetic event
            is an example whose history is the user's last real events; it enters no history unless `inject_history`.
        queries: `number`, `user_number` and `history`, a list of item numbers, oldest first. Of a user without events the
            tower knows the history alone.

    Raises:
        LlmI2iError: A setting is out of range, the relations do not fit, or torch is not installed.
    """
    log = read_events(events, WHERE)
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing_package(error, WHERE) from error

    train, validation = make_examples(events, settings)
    asked = _queries(queries, log.user_numbers, log.item_numbers, settings.history)
    n_users, n_items = len(log.user_numbers), len(log.item_numbers)
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(settings.random_seed)
        model = _model(n_users, n_items, settings)
        epochs = _fit(model, train, validation, n_items, settings, progress)
        return Towers(
            query_numbers=asked[0],
            queries=_user_vectors(model, asked[1], asked[2]),
            item_numbers=log.item_numbers,
            items=model.items.weight.detach()[1:].numpy().copy(),
            epochs=tuple(epochs),
        )


def make_examples(events: pa.Table, settings: Settings) -> tuple[Examples, Examples]:
    """Training examples, one for each event with a history, and validation examples, one for each user who is held out.

    Raises:
        LlmI2iError: The events do not fit, or none has an event before it.
    """
    log = read_events(events, WHERE)
    positions = numbers(events, "position", WHERE)
    synthetic = np.zeros(len(positions), bool)
    if "origin" in events.column_names:
        synthetic = numbers(events, "origin", WHERE) == "synthetic"
    if "weight" in events.column_names:  # as read_events has it
        used = numbers(events, "weight", WHERE) > 0
        positions, synthetic = positions[used], synthetic[used]

    order = np.lexsort((log.items, positions, log.users))
    users, items, weights = log.users[order], log.items[order], log.weights[order]
    synthetic = synthetic[order]
    remembered = ~synthetic | settings.inject_history  # events that may be in a history
    memory = (items[remembered] + 1).astype(np.int32)
    before = np.cumsum(remembered) - remembered  # remembered events ahead of each event
    starts = np.searchsorted(users[remembered], users)  # where the user's own begin
    ends = before

    real = ~synthetic
    n_real = np.bincount(users[real], minlength=len(log.user_numbers))
    last_real = np.zeros(len(users), bool)
    rows = np.flatnonzero(real)
    last_real[rows[np.append(np.diff(users[rows]) != 0, True)]] = True
    draw = np.random.default_rng(settings.random_seed).random(len(log.user_numbers))
    held_users = (draw < settings.validation_share) & (n_real >= 3)
    held = last_real & held_users[users]
    if (
        not settings.inject_history
    ):  # a synthetic event of a held-out user does not see what is held out
        ends = ends - (synthetic & held_users[users])

    examples = Examples(
        users=users,
        histories=_histories(memory, starts, ends, settings.history),
        targets=items,
        weights=weights.astype(np.float32),
    )
    has_history = ends > starts
    train, validation = _rows(examples, has_history & ~held), _rows(examples, has_history & held)
    if not len(train):
        raise LlmI2iError(
            "No event has an event of the same user before it: there is nothing to learn.",
            where=WHERE,
            found=f"{len(users)} events of {len(log.user_numbers)} users",
            fix="use a log whose users have two train events or more",
        )
    return train, validation


def sampled_loss(
    logits: Any, targets: Any, negative_logits: Any, negatives: Any, weights: Any, log_ratio: float
) -> Any:
    """Weighted mean over the batch of -log softmax of the target against the drawn items, in nats.

    A drawn item that is the example's own target is masked: it would be pushed down as well as up. The mean is over
    examples, not over the sum of weights, as in the language model's loss.

    Args:
        logits: Of the target, shape (batch,).
        targets: Row of the target, shape (batch,).
        negative_logits: Of the drawn items, shape (batch, negatives).
        negatives: Rows of the drawn items, shape (negatives,).
        weights: Shape (batch,).
        log_ratio: Added to the drawn items' logits, 0 for none.
    """
    import torch

    hit = targets[:, None] == negatives[None, :]
    others = (negative_logits + log_ratio).masked_fill(hit, -torch.inf)
    total = torch.logsumexp(torch.cat((logits[:, None], others), dim=1), dim=1)
    return (weights * (total - logits)).mean()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps this small are slower on two threads than on one (six times the CPU on a busy machine), and sums on one do not depend on how many there are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _model(n_users: int, n_items: int, settings: Settings) -> Any:
    """The network: two embedding tables and three layers, Xavier-normal; the item table serves histories and targets."""
    import torch
    from torch import nn

    width = settings.dimensions

    class UserTower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.users = nn.Embedding(n_users + 1, width)  # the last is whom the log does not know
            self.items = nn.Embedding(n_items + 1, width, padding_idx=PADDING)
            self.layers = nn.Sequential(
                nn.Linear(2 * width, width),
                nn.ReLU(),
                nn.Linear(width, width),
                nn.ReLU(),
                nn.Linear(width, width),
            )
            for table in (self.users, self.items):
                nn.init.xavier_normal_(table.weight)
            for layer in self.layers:
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_normal_(layer.weight)
                    nn.init.zeros_(layer.bias)
            with torch.no_grad():
                self.items.weight[PADDING] = 0
                self.users.weight[n_users] = 0

        def forward(self, users: Any, histories: Any) -> Any:
            lengths = (histories != PADDING).sum(dim=1, keepdim=True).clamp(min=1)
            taste = self.items(histories).sum(dim=1) / lengths  # padding is zero
            return self.layers(torch.cat((self.users(users), taste), dim=1))

    return UserTower()


def _fit(
    model: Any,
    train: Examples,
    validation: Examples,
    n_items: int,
    settings: Settings,
    progress: Progress | None,
) -> list[Epoch]:
    """Train in place; the weights left are those of the epoch with the best hit@10, the last one without validation."""
    import torch

    users, histories = torch.from_numpy(train.users), torch.from_numpy(train.histories).long()
    targets, weights = torch.from_numpy(train.targets), torch.from_numpy(train.weights)
    optimiser = torch.optim.Adam(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    log_ratio = float(np.log(n_items / settings.negatives)) if settings.log_q else 0.0
    steps = -(-len(train) // settings.batch_size)
    epochs: list[Epoch] = []
    best: dict[str, Any] = {}
    best_hit, since = -1.0, 0
    for number in range(1, settings.epochs + 1):
        shuffled = torch.randperm(len(train))
        total = 0.0
        for step in range(steps):
            rows = shuffled[step * settings.batch_size : (step + 1) * settings.batch_size]
            negatives = torch.randint(n_items, (settings.negatives,))
            vectors = model(users[rows], histories[rows])
            logits = (vectors * model.items(targets[rows] + 1)).sum(dim=1)
            loss = sampled_loss(
                logits,
                targets[rows],
                vectors @ model.items(negatives + 1).T,
                negatives,
                weights[rows],
                log_ratio,
            )
            extra = getattr(model, "extra_loss", None)  # of a module around the tower (LLM-CF)
            loss = loss if extra is None else loss + extra
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
            if progress is not None and step % 50 == 0:
                told = f"loss {loss.item():.2f}" + (f", hit@10 {best_hit:.4f}" if best else "")
                progress(number - 1 + step / steps, settings.epochs, told)
        hit = _hit_at_10(model, validation) if len(validation) else None
        epochs.append(Epoch(number, total / len(train), hit))
        if not np.isfinite(total):
            raise LlmI2iError(
                "Training diverged: the loss is no number.",
                where=WHERE,
                found=f"epoch {number}",
                fix="lower youtube_dnn_learning_rate",
            )
        if hit is None:
            continue
        if hit > best_hit:
            best_hit, since = hit, 0
            best = {name: value.clone() for name, value in model.state_dict().items()}
        else:
            since += 1
        if since >= settings.patience and number >= settings.min_epochs:
            break
    if best:
        model.load_state_dict(best)
    return epochs


def _hit_at_10(model: Any, examples: Examples) -> float:
    """Share of examples with fewer than ten items above the target, among all items, those of the history too (as LLM-CF)."""
    items = model.items.weight.detach()[1:].numpy()
    hits = 0
    for start in range(0, len(examples), 1024):
        rows = slice(start, start + 1024)
        scores = _user_vectors(model, examples.users[rows], examples.histories[rows]) @ items.T
        own = np.take_along_axis(scores, examples.targets[rows, None], axis=1)
        hits += int(((scores > own).sum(axis=1) < 10).sum())
    return hits / len(examples)


def _user_vectors(model: Any, users: Ints, histories: npt.NDArray[np.int32]) -> Vectors:
    import torch

    if not len(users):
        return np.empty((0, model.users.embedding_dim), np.float32)
    with torch.no_grad():
        parts = [
            model(
                torch.from_numpy(users[s : s + 4096]),
                torch.from_numpy(histories[s : s + 4096]).long(),
            ).numpy()
            for s in range(0, len(users), 4096)
        ]
    return np.concatenate(parts)


def _histories(
    memory: npt.NDArray[np.int32], starts: Ints, ends: Ints, length: int
) -> npt.NDArray[np.int32]:
    """The last `length` of memory[starts:ends], oldest first, padded on the right; shape (rows, length)."""
    first = np.maximum(starts, ends - length)
    places = first[:, None] + np.arange(length)
    inside = places < ends[:, None]
    if not len(memory):
        return np.full(places.shape, PADDING, np.int32)
    found = memory[np.minimum(places, len(memory) - 1)]
    return np.where(inside, found, np.int32(PADDING))


def _rows(examples: Examples, kept: npt.NDArray[np.bool_]) -> Examples:
    return Examples(
        examples.users[kept],
        examples.histories[kept],
        examples.targets[kept],
        examples.weights[kept],
    )


def _queries(
    queries: pa.Table | None, user_numbers: Ints, item_numbers: Ints, length: int
) -> tuple[Ints, Ints, npt.NDArray[np.int32]]:
    """Numbers, rows of the users and histories of the queries. Items without a train event are left out of a history."""
    if queries is None or not len(queries):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, length), np.int32)
    require_columns(queries, ["number", "user_number", "history"], WHERE)
    asked = numbers(queries, "user_number", WHERE).astype(np.int64)
    places = np.searchsorted(user_numbers, asked)
    places[places == len(user_numbers)] = 0
    users = np.where(user_numbers[places] == asked, places, len(user_numbers))
    lists = queries.column("history").combine_chunks()
    if lists.null_count:
        raise LlmI2iError(
            "Column 'history' has nulls.",
            where=WHERE,
            found=f"{lists.null_count} of {len(queries)} rows",
            fix="coalesce(..., []) in the subquery",
        )
    items = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    owners = np.repeat(np.arange(len(queries)), lists.value_lengths().to_numpy())
    rows = np.searchsorted(item_numbers, items)
    rows[rows == len(item_numbers)] = 0
    known = item_numbers[rows] == items if len(items) else np.zeros(0, bool)
    memory, owners = (rows[known] + 1).astype(np.int32), owners[known]
    starts = np.searchsorted(owners, np.arange(len(queries)))
    ends = np.searchsorted(owners, np.arange(len(queries)), side="right")
    return (
        numbers(queries, "number", WHERE).astype(np.int64),
        users.astype(np.int64),
        _histories(memory, starts, ends, length),
    )
