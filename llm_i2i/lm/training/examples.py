"""Training examples: two shapes of rows in, one flat array of weighted tokens out, and batches of similar length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import TrainingKind
from llm_i2i.lm.items import PAD, Vocabulary, build_vocabulary

WHERE = "fine_tune.examples"
SEQUENCE_COLUMNS = ("prompt", "completions", "weights")
EXAMPLE_COLUMNS = ("prompt", "completion", "weight")
MAX_LABELS = 10  # up to so many different one-word answers are labels: softmax over them alone
POOL = 50  # batches shuffled together before sorting by length: enough to waste little padding, few enough to stay random
TARGETS_ROUNDED_TO = 64  # oneDNN compiles its kernels for each new shape: blank targets of weight 0 keep the shapes few

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RawExamples:
    """Rows as they came, checked: of one shape, without nulls.

    Attributes:
        answers: Words of all completions, flat.
        answer_lengths: Number of answer words of each row.
        weights: Weight of each answer word, float64, flat; in example rows the row's weight divided by its answer's length.
        shares: What each answer word counts as a target: 1 in sequence rows, 1 / answer length in example rows.
    """

    kind: TrainingKind
    prompts: list[str]
    answers: list[str]
    answer_lengths: Ints
    weights: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples:
    """Encoded rows, flat: row r is `tokens[starts[r] : starts[r] + lengths[r]]`, `<s>` first.

    Attributes:
        weights: Loss weight of each token as a target, float32; 0 on `<s>`, prompts and context.
        shares: What each token counts as a target in the mean, float32; 0 where the weight is 0.
    """

    tokens: Ints
    weights: Floats
    shares: Floats
    starts: Ints
    lengths: Ints

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class Batch:
    """Rows of one step, right-padded: inputs, shape (rows, length), and the places that carry a target.

    Attributes:
        inputs: Token ids, int64, padded with `<pad>`.
        places: Indices into the flattened (rows x length) inputs whose next token is a target, shape (targets,); blanks of weight
            0 at the end fill up to a multiple of 64.
        targets: Token ids to predict there.
        weights: Their loss weights, float32.
        n_targets: Number of targets the loss is averaged over (rows, for example rows).
        inside: False on padding, bool, shape (rows, length).
    """

    inputs: Ints
    places: Ints
    targets: Ints
    weights: Floats
    n_targets: float
    inside: npt.NDArray[np.bool_]


def read_examples(table: pa.Table) -> RawExamples:
    """Check the rows and tell their shape.

    Raises:
        LlmI2iError: Columns are missing, a value is null, lists differ in length, a weight is negative or none is positive.
    """
    names = set(table.column_names)
    if set(SEQUENCE_COLUMNS) <= names:
        raw = _read_sequences(table)
    elif set(EXAMPLE_COLUMNS) <= names:
        raw = _read_pairs(table)
    else:
        raise LlmI2iError(
            "the examples have neither of the two shapes",
            where=WHERE,
            found=f"columns {', '.join(table.column_names)}",
            fix=f"select {', '.join(SEQUENCE_COLUMNS)} (one row a sequence) or {', '.join(EXAMPLE_COLUMNS)} (one row an example)",
        )
    if not np.isfinite(raw.weights).all() or (raw.weights < 0).any():
        raise LlmI2iError(
            "a weight is negative or not finite",
            where=WHERE,
            fix="weights are 0 (context only) or positive",
        )
    if not (raw.weights > 0).any():
        raise LlmI2iError(
            "there is nothing to learn: no completion has a positive weight",
            where=WHERE,
            found=f"{table.num_rows} rows",
        )
    return raw


def vocabulary_for(
    raw: RawExamples, items: pa.Table | None, initial: Vocabulary | None
) -> Vocabulary:
    """Items of `items`, then those of `initial` (or else the completions of sequences), and all words of the examples.

    Raises:
        LlmI2iError: A completion of a sequence row is not an item.
    """
    known = text_column(items, "item_token", "fine_tune.items") if items is not None else []
    if initial is not None:
        listed = set(known)
        known += [token for token in initial.item_tokens if token not in listed]
    elif items is None and raw.kind == "sequence":
        known = sorted(set(raw.answers))
    words = {word for prompt in set(raw.prompts) for word in prompt.split()}
    words.update(initial.words if initial is not None else ())
    vocabulary = build_vocabulary(known, words.union(raw.answers))
    if raw.kind == "sequence":
        _check_items(raw, vocabulary)
    return vocabulary


def encode_examples(raw: RawExamples, vocabulary: Vocabulary, max_length: int) -> Examples:
    """Token ids of all rows, at most `max_length` inputs each: the oldest items are cut, and then the first kept is no target."""
    ids = vocabulary.ids
    answers = np.fromiter((ids[word] for word in raw.answers), np.int64, len(raw.answers))
    ends = np.cumsum(raw.answer_lengths)
    prompt_cache: dict[str, list[int]] = {}
    tokens: list[Any] = []
    weights: list[Any] = []
    shares: list[Any] = []
    lengths = np.zeros(len(raw.prompts), dtype=np.int64)
    for row, (prompt, end, count) in enumerate(
        zip(raw.prompts, ends.tolist(), raw.answer_lengths.tolist(), strict=True)
    ):
        # The last answer token is never an input, so the prompt may fill what the others leave.
        room = max_length if raw.kind == "sequence" else max(max_length + 1 - count, 2)
        head = prompt_cache.get(prompt)
        if head is None:
            head = prompt_cache[prompt] = vocabulary.encode(prompt, room)
        kept = min(count, max(max_length + 1 - len(head), 1))
        weight, share = raw.weights[end - kept : end], raw.shares[end - kept : end]
        if kept < count:
            weight = weight.copy()
            weight[0] = 0.0
        blank = [0.0] * len(head)
        tokens += (head, answers[end - kept : end])
        weights += (blank, weight)
        shares += (blank, np.where(weight > 0, share, 0.0))
        lengths[row] = len(head) + kept
    return Examples(
        np.concatenate(tokens).astype(np.int64),
        np.concatenate(weights).astype(np.float32),
        np.concatenate(shares).astype(np.float32),
        np.cumsum(lengths) - lengths,
        lengths,
    )


def plan_batches(examples: Examples, batch_size: int, random: np.random.Generator) -> list[Ints]:
    """Row numbers of each batch of one epoch: every row with a target once, similar lengths together, in random order.

    Batches hold about the same number of tokens, so many short rows or few long ones, `batch_size` on average: in batches of
    equally many rows a target of a short row would weigh several times that of a long one, as each step counts alike.
    """
    lengths = examples.lengths - 1  # the last token is only ever a target
    with_targets = np.flatnonzero(np.add.reduceat(examples.shares, examples.starts) > 0)
    budget = batch_size * float(lengths[with_targets].mean())
    order = random.permutation(with_targets)
    batches = []
    for start in range(0, len(order), batch_size * POOL):
        pool = order[start : start + batch_size * POOL]
        pool = pool[np.argsort(-lengths[pool], kind="stable")]
        while len(pool):
            size = budget / lengths[pool[0]]
            # Multiples of eight: few different shapes, see TARGETS_ROUNDED_TO.
            size = max(1, round(size) if size < 8 else 8 * round(size / 8))
            batches.append(pool[:size])
            pool = pool[size:]
    return [batches[number] for number in random.permutation(len(batches))]


def make_batch(examples: Examples, rows: Ints) -> Batch:
    """Right-padded inputs and the targets of some rows."""
    lengths = examples.lengths[rows] - 1  # the last token is only ever a target
    columns = np.arange(lengths.max())
    inside = columns < lengths[:, None]
    at = np.where(inside, examples.starts[rows][:, None] + columns, 0)
    weights = np.where(inside, examples.weights[at + 1], 0.0).ravel()
    places = np.flatnonzero(weights)
    target_at = at.ravel()[places] + 1
    n_targets = float(examples.shares[target_at].sum())
    blanks = -len(places) % TARGETS_ROUNDED_TO
    places, target_at = np.pad(places, (0, blanks)), np.pad(target_at, (0, blanks))
    target_weights = examples.weights[target_at]
    target_weights[len(places) - blanks :] = 0.0
    return Batch(
        np.where(inside, examples.tokens[at], PAD),
        places,
        examples.tokens[target_at],
        target_weights,
        n_targets,
        inside,
    )


def text_column(table: pa.Table, name: str, where: str) -> list[str]:
    """A column of strings as a Python list.

    Raises:
        LlmI2iError: The column is missing, has a null, or holds something else.
    """
    column = _column(table, name, where)
    _check_text(column.type, name, where)
    return list(column.to_pylist())


def _check_text(found: pa.DataType, name: str, where: str) -> None:
    if not (
        pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_null(found)
    ):
        raise LlmI2iError(
            f"column {name!r} holds no text",
            where=where,
            found=str(found),
            fix=f"cast it to VARCHAR, one word an item such as '<i_' || item_id || '>' as {name}",
        )


def _column(table: pa.Table, name: str, where: str) -> pa.Array:
    if name not in table.column_names:
        raise LlmI2iError(
            f"column {name!r} is missing",
            where=where,
            found=f"columns {', '.join(table.column_names)}",
        )
    column = table.column(name)
    if column.null_count:
        raise LlmI2iError(
            f"column {name!r} has nulls",
            where=where,
            found=f"{column.null_count} of {len(column)} rows",
        )
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _read_sequences(table: pa.Table) -> RawExamples:
    answers, weights = _column(table, "completions", WHERE), _column(table, "weights", WHERE)
    lengths = pc.list_value_length(answers)
    if not lengths.equals(pc.list_value_length(weights)):
        raise LlmI2iError(
            "completions and weights differ in length",
            where=WHERE,
            fix="give each completion one weight",
        )
    words, values = answers.flatten(), weights.flatten()
    _check_text(words.type, "completions", WHERE)
    if words.null_count or values.null_count:
        raise LlmI2iError(
            "a list of completions or weights has a null in it",
            where=WHERE,
            fix="filter it out in the SQL model",
        )
    flat = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return RawExamples(
        "sequence",
        text_column(table, "prompt", WHERE),
        words.to_pylist(),
        lengths.to_numpy(zero_copy_only=False).astype(np.int64),
        flat,
        np.ones(len(flat)),
    )


def _read_pairs(table: pa.Table) -> RawExamples:
    answers = [answer.split() for answer in text_column(table, "completion", WHERE)]
    lengths = np.array([len(answer) for answer in answers], dtype=np.int64)
    if not lengths.all():
        raise LlmI2iError(
            "a completion is empty", where=WHERE, found=f"row {int(np.argmin(lengths)) + 1}"
        )
    words = [word for answer in answers for word in answer]
    labels = set(words) if (lengths == 1).all() else set()
    is_choice = 2 <= len(labels) <= MAX_LABELS
    weights = _column(table, "weight", WHERE).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return RawExamples(
        "labels" if is_choice else "completion",
        text_column(table, "prompt", WHERE),
        words,
        lengths,
        np.repeat(weights / lengths, lengths),
        np.repeat(1.0 / lengths, lengths),
        tuple(sorted(labels)) if is_choice else (),
    )


def _check_items(raw: RawExamples, vocabulary: Vocabulary) -> None:
    items = vocabulary.item_ids
    for word in dict.fromkeys(raw.answers):
        if vocabulary.ids[word] not in items:
            raise LlmI2iError(
                f"completion {word!r} is not an item",
                where=WHERE,
                found=f"{vocabulary.n_items} item tokens",
                fix="add it to the items relation, or filter it out of the sequences",
            )
