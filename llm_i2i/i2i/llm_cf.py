"""LLM-CF's in-context retrieval: the examples of other users whose histories read most alike (method.md 6.4).

What is LLM-CF's and what is our reading is told in project/docs/llm_cf.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SCORED_AT_ONCE = 8_000_000  # similarities in memory, some 100 MB with what is made of them


@dataclass(frozen=True)
class Examples:
    """Rows of the reasoning set: who, what item, and the key that a history is compared with.

    Attributes:
        users: User of each row, shape (rows,).
        items: Item of each row, shape (rows,).
        keys: float64, shape (rows, d).
    """

    users: Ints
    items: Ints
    keys: Floats


@dataclass(frozen=True)
class Retrieved:
    """Items found for users, best first within a user; all arrays have one entry a found item.

    Attributes:
        queries: Row of the query.
        items: The item found.
        examples: Row of the example that brought it.
        similarities: float32.
        choices: 1 is the user's best.
    """

    queries: Ints
    items: Ints
    examples: Ints
    similarities: npt.NDArray[np.float32]
    choices: Ints


def mean_embeddings(histories: Sequence[Sequence[int]], embeddings: Floats) -> Floats:
    """Mean item embedding of each history, shape (histories, d); zero for an empty one."""
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    result = np.zeros((len(histories), embeddings.shape[1]))
    flat = np.fromiter((i for history in histories for i in history), np.int64, int(lengths.sum()))
    np.add.at(result, np.repeat(np.arange(len(histories)), lengths), embeddings[flat])
    means: Floats = result / np.maximum(lengths, 1)[:, None]
    return means


def example_keys(
    histories: Floats, reasonings: Floats, weight: float, similarity: str = "cosine"
) -> Floats:
    """What a query is compared with: the history, and with `weight` the reasoning, where a row has one (is not zero).

    LLM-CF takes the dot product of means. The mean of one item has length 1, that of ten unlike items a third of it, less so under a
    sentence encoder than under TF-IDF: there rows of one item win nearly everywhere, so `cosine` divides by the length.

    Raises:
        LlmI2iError: `similarity` is neither cosine nor dot.
    """
    if similarity not in ("cosine", "dot"):
        raise LlmI2iError(
            f"similarity {similarity!r} is neither cosine nor dot",
            where="retrieve_examples.similarity",
        )
    histories = _unit_length(histories) if similarity == "cosine" else histories
    weights = np.where(np.any(reasonings != 0, axis=1), weight, 0.0)[:, None]
    keys: Floats = (1 - weights) * histories + weights * reasonings
    return _unit_length(keys) if similarity == "cosine" else keys


def _unit_length(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    result: Floats = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return result


def retrieve_items(
    queries: Floats, users: Ints, wanted: Ints, examples: Examples, known: Sequence[Ints]
) -> Retrieved:
    """For each query the `wanted` items of the most similar examples, a dot product.

    An item counts with its most similar example. Left out are examples of the query's own user and items the user knows. A
    query of length zero knows nothing and finds nothing. Similarities are compared in float32; ties go to the smaller item,
    then to the earlier example.

    Args:
        queries: float64, shape (queries, d).
        users: User of each query.
        wanted: Most items for each query.
        known: Items each query's user knows, one array a query.
    """
    order = np.lexsort((np.arange(len(examples.items)), examples.items))
    items, starts = np.unique(examples.items[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    keys, owners = examples.keys[order], examples.users[order]
    place = {int(item): column for column, item in enumerate(items)}
    found: list[tuple[int, int, int, float, int]] = []
    able: Ints = np.flatnonzero((wanted > 0) & np.any(queries != 0, axis=1))
    for rows in _blocks(able if len(items) else able[:0], SCORED_AT_ONCE // max(len(order), 1)):
        similarities = (queries[rows] @ keys.T).astype(np.float32)
        similarities[users[rows][:, None] == owners[None, :]] = -np.inf
        best = np.maximum.reduceat(similarities, starts, axis=1)
        for line, row in enumerate(rows):
            best[line, [place[int(i)] for i in known[row] if int(i) in place]] = -np.inf
            for choice, column in enumerate(_top(best[line], int(wanted[row])), start=1):
                begin = starts[column]
                example = begin + int(np.argmax(similarities[line, begin : ends[column]]))
                found.append(
                    (int(row), int(items[column]), int(order[example]), best[line, column], choice)
                )
    columns = list(zip(*found, strict=True)) or [(), (), (), (), ()]
    return Retrieved(
        queries=np.array(columns[0], dtype=np.int64),
        items=np.array(columns[1], dtype=np.int64),
        examples=np.array(columns[2], dtype=np.int64),
        similarities=np.array(columns[3], dtype=np.float32),
        choices=np.array(columns[4], dtype=np.int64),
    )


def _blocks(rows: Ints, size: int) -> Iterator[Ints]:
    for start in range(0, len(rows), max(size, 1)):
        yield rows[start : start + max(size, 1)]


def _top(values: npt.NDArray[np.float32], count: int) -> Ints:
    """Columns of the `count` largest finite values, largest first, ties by column."""
    count = min(count, len(values))
    bound = np.partition(values, len(values) - count)[len(values) - count]
    columns = np.flatnonzero((values >= bound) & (values > -np.inf))
    return columns[np.argsort(-values[columns], kind="stable")][:count]


# -- the worth of a reasoning ------------------------------------------------------------------------------------------

# What a reasoning should speak of, and what it should come to: LLM-CF compares with sentences to this effect.
ASPECTS = (
    "What the shopper is like, judging by the products taken so far.",
    "How well the candidate fits the shopper.",
    "Whether the shopper wants something different for a change.",
    "Whether the candidate is merely popular or merely shown first.",
)
ANSWERS = {
    "Yes": "The shopper takes the candidate.",
    "No": "The shopper does not take the candidate.",
}
SHORTEST = 10  # characters; anything shorter is no reasoning and scores 0
SCORES = ("coherence", "completeness", "relevance", "consistency")


def reasoning_scores(
    reasonings: Sequence[str],
    histories: Sequence[str],
    answers: Sequence[str],
    embed: Callable[[Sequence[str]], Floats],
) -> tuple[Floats, Floats]:
    """Coherence, completeness, relevance and consistency of each reasoning, shape (rows, 4), and its unit embedding.

    Completeness: mean cosine with four aspects. Relevance: cosine with the history's text. Consistency: cosine with the answer as a
    sentence. Coherence: mean of the cosine of neighbouring sentences (1 where there is one alone) and of the share of words
    that come once; LLM-CF has the change of sentiment between sentences in place of the cosine, which needs a lexicon.

    Args:
        histories: Text of the history behind each reasoning.
        answers: `Yes` or `No`.
        embed: Unit embeddings of texts, zero for a text without known words.

    Raises:
        LlmI2iError: An answer is neither Yes nor No.
    """
    wrong = sorted(set(answers) - set(ANSWERS))
    if wrong:
        raise LlmI2iError(
            "an answer is neither Yes nor No", where="reasoning_scores.answers", found=wrong[0]
        )
    sentences = [_sentences(text) for text in reasonings]
    cosines = iter(_neighbours(embed([s for row in sentences for s in row]), sentences))
    embeddings = embed(reasonings)
    scores = np.zeros((len(reasonings), len(SCORES)))
    scores[:, 0] = [(next(cosines) + _spoken_once(text)) / 2 for text in reasonings]
    scores[:, 1] = (embeddings @ embed(ASPECTS).T).mean(axis=1)
    scores[:, 2] = (embeddings * embed(histories)).sum(axis=1)
    names = list(ANSWERS)
    by_answer = embeddings @ embed([ANSWERS[name] for name in names]).T
    scores[:, 3] = by_answer[np.arange(len(answers)), [names.index(a) for a in answers]]
    too_short = np.array([len(text.strip()) < SHORTEST for text in reasonings], dtype=bool)
    scores[too_short] = 0.0
    return scores, np.where(too_short[:, None], 0.0, embeddings)


def _sentences(text: str) -> list[str]:
    marked = text.replace("!", ".").replace("?", ".").replace("\n", ".")
    return [part.strip() for part in marked.split(". ") if part.strip(" .")] or [text]


def _neighbours(embeddings: Floats, sentences: Sequence[Sequence[str]]) -> Iterator[float]:
    start = 0
    for row in sentences:
        own = embeddings[start : start + len(row)]
        start += len(row)
        yield float((own[1:] * own[:-1]).sum(axis=1).mean()) if len(row) > 1 else 1.0


def _spoken_once(text: str) -> float:
    words = Counter(text.lower().split())
    return sum(count == 1 for count in words.values()) / words.total() if words else 0.0
