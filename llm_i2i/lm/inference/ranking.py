"""What every backend does around its model: look up labels, order prompts by length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError, closest
from llm_i2i.lm.items import FIRST_ITEM, PAD, Vocabulary

Ints = npt.NDArray[np.int64]


def label_ids(vocabulary: Vocabulary, labels: Sequence[str]) -> list[int]:
    """Token id of each label.

    Raises:
        LlmI2iError: The model has no token for a label.
    """
    for label in labels:
        if label not in vocabulary.ids:
            words = vocabulary.words[vocabulary.item_ids.stop :]
            near = closest(label, words)
            raise LlmI2iError(
                f"the language model has no word {label!r}",
                where="labels",
                found=f"{len(words)} words beside the items"
                + (f", closest {near}" if near else ""),
                fix="ask for labels that were completions of its training examples",
            )
    return [vocabulary.ids[label] for label in labels]


def seen_items(vocabulary: Vocabulary, prompts: Sequence[str]) -> tuple[list[int], list[int]]:
    """(prompt, 0-based item) indices of all items in the prompts, those cut for length included."""
    get, n_items = vocabulary.ids.get, vocabulary.n_items
    rows, columns = [], []
    for row, prompt in enumerate(prompts):
        for word in prompt.split():
            item = get(word, PAD) - FIRST_ITEM
            if 0 <= item < n_items:
                rows.append(row)
                columns.append(item)
    return rows, columns


def prompt_items(vocabulary: Vocabulary, prompts: Sequence[str]) -> list[set[int]]:
    """Token ids of the items in each prompt, those cut for length included."""
    seen: list[set[int]] = [set() for _ in prompts]
    for row, item in zip(*seen_items(vocabulary, prompts), strict=True):
        seen[row].add(item + FIRST_ITEM)
    return seen


def best_items(
    vocabulary: Vocabulary, chances: Mapping[int, float], left_out: Set[int], n: int
) -> list[tuple[str, float]]:
    """The `n` best of the item tokens in `chances` (token id -> log-probability) outside `left_out`, best first."""
    items = vocabulary.item_ids
    kept = [pair for pair in chances.items() if pair[0] in items and pair[0] not in left_out]
    # The id breaks ties, so that the same answer comes in the same order from any engine.
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    return [(vocabulary.words[token], value) for token, value in kept[:n]]


def other_tokens(vocabulary: Vocabulary) -> list[int]:
    """Token ids that are no item."""
    items = vocabulary.item_ids
    return [*range(items.start), *range(items.stop, len(vocabulary.words))]


def padded_batches(
    rows: Sequence[Sequence[int]], max_tokens: int, max_rows: int
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Rows in batches of similar length: (index of each row, right-padded token ids, length of each row)."""
    lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max_rows
        # Sorted ascending, so the last row of a batch is its longest.
        while (
            stop > start + 1
            and (min(stop, len(order)) - start) * lengths[order[min(stop, len(order)) - 1]]
            > max_tokens
        ):
            stop = start + (stop - start) // 2
        index = order[start : min(stop, len(order))]
        yield index, pad([rows[i] for i in index], lengths[index]), lengths[index]
        start = min(stop, len(order))


def pad(rows: Sequence[Sequence[int]], lengths: Ints) -> Ints:
    """Right-padded token ids, shape (rows, longest)."""
    tokens = np.full((len(rows), lengths.max(initial=0)), PAD, dtype=np.int64)
    inside = np.arange(tokens.shape[1]) < lengths[:, None]
    tokens[inside] = np.fromiter(
        (token for row in rows for token in row), np.int64, int(lengths.sum())
    )
    return tokens
