"""Examples of a language model with its own tokenizer: rows -> token ids with the answers marked, and the order they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import TrainingKind
from llm_i2i.lm.tokenizer import TokenizerVocabulary
from llm_i2i.lm.training.examples import (
    WHERE,
    Batch,
    Examples,
    Ints,
    RawExamples,
    make_batch,
    text_column,
)

VALIDATION = 2**31  # names the random stream of the split, apart from those of the epochs 0, 1, ...


@dataclass(frozen=True)
class TargetRows:
    """Encoded rows of a training.

    Attributes:
        examples: Prompts with their answers; weight / answer length on each answer token, 0 elsewhere.
        origins: Row of the examples table each encoded row comes from, shape (rows,).
    """

    examples: Examples
    origins: Ints

    @cached_property
    def counts(self) -> npt.NDArray[np.float64]:
        """Targets in each row; 1 in a row of one answer."""
        return np.add.reduceat(self.examples.shares.astype(np.float64), self.examples.starts)

    @cached_property
    def sums(self) -> npt.NDArray[np.float64]:
        """Sum of the weights of the targets in each row."""
        return np.add.reduceat(self.examples.weights.astype(np.float64), self.examples.starts)

    def divisor(self, rows: Ints, normalise: str) -> float:
        """What the summed loss of some rows is divided by (method of eq. 1-3: `mean` or `weighted_mean`)."""
        return float((self.sums if normalise == "weighted_mean" else self.counts)[rows].sum())


def item_tokens_for(raw: RawExamples, items: pa.Table | None, known: Sequence[str]) -> list[str]:
    """Item tokens of `items`, then those already known; the distinct completions of sequences where there are neither."""
    listed = text_column(items, "item_token", "fine_tune.items") if items is not None else []
    tokens = list(dict.fromkeys([*listed, *known]))
    if not tokens and raw.kind == "sequence":
        tokens = sorted(set(raw.answers))
    return tokens


def training_kind(raw: RawExamples, item_tokens: Sequence[str]) -> TrainingKind:
    """As `read_examples` saw it; but answers that are items are no labels, however few they are."""
    if raw.kind == "labels" and set(raw.labels) <= set(item_tokens):
        return "completion"
    return raw.kind


def encode_targets(
    raw: RawExamples, vocabulary: TokenizerVocabulary, max_length: int
) -> TargetRows:
    """Token ids of all rows, at most `max_length` inputs each; the prompt is cut, never an answer.

    A sequence row is one pass over all its items (`packed_rows`) where a prompt that ends with items has the tokens of the prompt
    and of the items as answers: a list that is continued line by line, or items of one length in added tokens. Otherwise each of its
    targets is a row of its own, whose prompt ends with the items before: that is how a prompt looks when items are generated.

    Raises:
        LlmI2iError: A completion of a sequence is not an item, or two labels begin with the same token.
    """
    answers = _Answers(raw, vocabulary)
    if raw.kind == "sequence":
        answers.check_items(raw)
        one_pass = vocabulary.is_list or (answers.joined and _spelled_alike(raw, vocabulary))
        spelled = (
            _one_pass(raw, answers, max_length) if one_pass else _one_each(raw, answers, max_length)
        )
    else:
        spelled = _one_each(raw, answers, max_length)
    return _flat(spelled)


# (row of the table, token ids, weight of each token as a target, share of each in the mean)
_Row = tuple[int, list[int], list[float], list[float]]


class _Answers:
    """Token ids of the answers as they are generated: items as the trie spells them, labels as their first token."""

    def __init__(self, raw: RawExamples, vocabulary: TokenizerVocabulary) -> None:
        self.vocabulary = vocabulary
        self.items = dict(zip(vocabulary.item_tokens, vocabulary.item_sequences, strict=True))
        # Whether items may stand behind each other with nothing in between: none is closed by an end.
        lengths = {len(ids) for ids in self.items.values()}
        self.joined = len(lengths) == 1 and (vocabulary.item_ids != "text" or lengths == {1})
        self.labels: dict[str, tuple[int, ...]] = {}
        if training_kind(raw, vocabulary.item_tokens) == "labels":
            self.labels = {label: tuple(vocabulary.answer(label)[:1]) for label in raw.labels}
            if len(set(self.labels.values())) < len(self.labels):
                raise LlmI2iError(
                    "two labels begin with the same token",
                    where=WHERE,
                    found=", ".join(raw.labels),
                    fix="take labels the tokenizer tells apart, such as Yes and No",
                )
        self._texts: dict[str, tuple[int, ...]] = {}

    def check_items(self, raw: RawExamples) -> None:
        for text in dict.fromkeys(raw.answers):
            if text not in self.items:
                raise LlmI2iError(
                    f"completion {text!r} is not an item",
                    where=WHERE,
                    found=f"{len(self.items)} item tokens",
                    fix="add it to the items relation, or filter it out of the sequences",
                )

    def ids(self, text: str) -> tuple[int, ...]:
        known = self.labels.get(text) or self.items.get(text) or self._texts.get(text)
        if known is None:
            known = (*self.vocabulary.answer(text), self.vocabulary.end)
            self._texts[text] = known
        return known

    def prompt(self, text: str, room: int) -> list[int]:
        """A prompt cut to `room` tokens; at least one token, as something must predict the answer."""
        ids = self.vocabulary.encode(text, max(room, 2))
        return ids or [self.vocabulary.end]


def _spelled_alike(raw: RawExamples, vocabulary: TokenizerVocabulary) -> bool:
    """Whether a prompt that ends with items has the same ids as the prompt followed by the items as answers."""
    row = int(np.argmax(raw.answer_lengths))
    start = int(raw.answer_lengths[:row].sum())
    words = raw.answers[start : start + int(raw.answer_lengths[row])]
    text = " ".join([raw.prompts[row], *words]).strip()
    apart = vocabulary.encode(raw.prompts[row], len(text) + 2)
    for word in words:
        apart = apart + vocabulary.answer(word)
    return vocabulary.encode(text, len(text) + 2) == apart


def _words_of_rows(raw: RawExamples) -> Iterator[tuple[int, str, list[str], list[float]]]:
    ends = np.cumsum(raw.answer_lengths).tolist()
    for row, (prompt, end, count) in enumerate(
        zip(raw.prompts, ends, raw.answer_lengths.tolist(), strict=True)
    ):
        yield row, prompt, raw.answers[end - count : end], raw.weights[end - count : end].tolist()


def _one_pass(raw: RawExamples, answers: _Answers, max_length: int) -> Iterator[_Row]:
    line_break = answers.vocabulary.line_break if answers.vocabulary.is_list else ()
    for row, prompt, words, weights in _words_of_rows(raw):
        products = [answers.ids(word) for word in words]
        head = answers.prompt(prompt, max_length + 1 - len(products[0]))
        for packed in packed_rows(head, products, weights, line_break, max_length):
            yield row, *packed


def packed_rows(
    head: list[int],
    products: Sequence[tuple[int, ...]],
    weights: Sequence[float],
    line_break: tuple[int, ...],
    max_length: int,
) -> Iterator[tuple[list[int], list[float], list[float]]]:
    """Token ids, weights and shares of the rows that hold a user's products, each behind the prompt and the products before it.

    What has no place in one row goes on in another, which repeats the newest products of the row before, as many whole ones as fit
    into half of its room: so each product is a target once. It is none where not even the product before it fits beside it.

    Args:
        head: Token ids of the prompt.
        products: Token ids of each as an answer.
        weights: Loss weight of each; it is spread over the product's tokens.
        line_break: What stands between two products, its first token being the last of a product that is closed by it.
        max_length: Most inputs of a row; the last token is never one. A single product may be longer.
    """
    room = max_length + 1 - len(head)
    closed = [bool(line_break) and ids[-1] == line_break[0] for ids in products]
    gaps = [line_break[1:] if is_closed else line_break for is_closed in closed]
    sizes = [len(ids) + len(gap) for ids, gap in zip(products, gaps, strict=True)]

    def fitting(places: Iterable[int], most: int) -> int:
        """How many of the products fit, one behind the other."""
        total = np.cumsum([sizes[place] for place in places])
        return int(np.searchsorted(total, most, side="right"))

    start = new = 0  # the first product of the row, and the first that no row before has had
    while new < len(products):
        end = max(new + 1, start + fitting(range(start, len(products)), room))
        tokens, weight, share = list(head), [0.0] * len(head), [0.0] * len(head)
        for place in range(start, end):
            gap = gaps[place] if place < end - 1 else ()
            size = len(products[place])
            has_history = place > start or start == 0
            value = weights[place] if place >= new and has_history else 0.0
            tokens += [*products[place], *gap]
            weight += [value / size] * size + [0.0] * len(gap)
            share += [float(value > 0) / size] * size + [0.0] * len(gap)
        yield tokens, weight, share
        if end < len(products):
            most = min(max(room // 2, sizes[end - 1]), room - sizes[end])
            start = end - fitting(range(end - 1, start, -1), most)
        new = end


def _one_each(raw: RawExamples, answers: _Answers, max_length: int) -> Iterator[_Row]:
    for row, prompt, words, weights in _words_of_rows(raw):
        if raw.kind == "sequence":
            # A prompt never holds more items than tokens.
            targets = [
                (" ".join([prompt, *words[max(0, at - max_length) : at]]).strip(), word, weight)
                for at, (word, weight) in enumerate(zip(words, weights, strict=True))
            ]
        else:
            targets = [(prompt, " ".join(words), sum(weights))]
        for text, answer, weight in targets:
            if weight > 0:
                ids = answers.ids(answer)
                head = answers.prompt(text, max_length + 1 - len(ids))
                blank, size = [0.0] * len(head), len(ids)
                yield (
                    row,
                    [*head, *ids],
                    blank + [weight / size] * size,
                    blank + [1.0 / size] * size,
                )


def _flat(rows: Iterator[_Row]) -> TargetRows:
    tokens: list[int] = []
    weights: list[float] = []
    shares: list[float] = []
    lengths, origins = [], []
    for origin, ids, weight, share in rows:
        tokens += ids
        weights += weight
        shares += share
        lengths.append(len(ids))
        origins.append(origin)
    sizes = np.array(lengths, dtype=np.int64)
    examples = Examples(
        np.array(tokens, dtype=np.int64),
        np.array(weights, dtype=np.float32),
        np.array(shares, dtype=np.float32),
        np.cumsum(sizes) - sizes,
        sizes,
    )
    return TargetRows(examples, np.array(origins, dtype=np.int64))


# -- the order of the data: a pure function of (seed, epoch), the same for any number of processes ---------------------


def split_rows(targets: TargetRows, share: float, seed: int) -> tuple[Ints, Ints]:
    """Encoded rows to train on and to validate on; a row of the table goes whole to one side.

    Raises:
        LlmI2iError: Too few rows for the split.
    """
    used = np.flatnonzero(targets.counts > 0)
    if share == 0.0:
        return used, used[:0]
    tables = np.unique(targets.origins[used])
    held_out = round(share * len(tables))
    if not 0 < held_out < len(tables):
        raise LlmI2iError(
            "too few rows to hold some out for early_stop",
            where=WHERE,
            found=f"{len(tables)} rows, {held_out} of them held out",
            fix="give more rows, another early_stop.share, or early_stop: null",
        )
    order = np.random.default_rng([seed, VALIDATION]).permutation(tables)
    is_held_out = np.isin(targets.origins[used], order[:held_out])
    return used[~is_held_out], used[is_held_out]


def epoch_batches(rows: Ints, batch_size: int, seed: int, epoch: int) -> list[Ints]:
    """The rows of each step of one epoch, over all processes; the last step takes what is left."""
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def parts_of(rows: Ints, rank: int, processes: int, accumulation: int) -> list[Ints]:
    """The parts of one step that fall to process `rank`, always `accumulation` of them; some are empty in a small last step."""
    parts = np.array_split(rows, processes * accumulation)
    return parts[rank * accumulation : (rank + 1) * accumulation]


def split_by_tokens(examples: Examples, rows: Ints, most: int) -> list[Ints]:
    """The rows in parts of at most `most` tokens, padding included, rows of like length together; a longer row is a part of its own."""
    if not len(rows):
        return [rows]
    rows = rows[np.argsort(examples.lengths[rows], kind="stable")]
    parts, start = [], 0
    for place, row in enumerate(rows):
        if place > start and (place + 1 - start) * int(examples.lengths[row]) > most:
            parts.append(rows[start:place])
            start = place
    return [*parts, rows[start:]]


def batch_of(examples: Examples, rows: Ints) -> Batch:
    """The padded batch of some rows; without rows one row of weight 0, as every process must take part in a step."""
    if len(rows):
        return make_batch(examples, rows)
    blank = make_batch(examples, np.argmin(examples.lengths, keepdims=True))
    return replace(blank, weights=np.zeros_like(blank.weights), n_targets=0.0)
