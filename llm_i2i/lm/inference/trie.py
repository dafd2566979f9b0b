"""A trie over the token sequences of all items, in four flat arrays: which tokens may follow a prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
ROOT = 0


@dataclass(frozen=True)
class Trie:
    """Nodes numbered level by level, children of one node side by side in the order of their tokens: 12 bytes a node.

    Attributes:
        tokens: Token that leads to each node, int32, shape (nodes,); -1 for the root.
        first_child: Children of node k are `first_child[k]` to `first_child[k + 1]`, int32, shape (nodes + 1,).
        items: Item number at each leaf, int32, shape (nodes,); -1 inside.
        depth: Longest sequence.
    """

    tokens: Ints32
    first_child: Ints32
    items: Ints32
    depth: int

    @property
    def n_bytes(self) -> int:
        """Memory of the arrays."""
        return self.tokens.nbytes + self.first_child.nbytes + self.items.nbytes

    def children(self, node: int) -> range:
        """Nodes right behind a node."""
        return range(int(self.first_child[node]), int(self.first_child[node + 1]))

    def allowed(self, node: int) -> Ints32:
        """Tokens that may follow, ascending."""
        return self.tokens[self.first_child[node] : self.first_child[node + 1]]

    def find(self, tokens: Sequence[int]) -> int | None:
        """The node of a prefix, or None where no item begins so."""
        node = ROOT
        for token in tokens:
            place = int(np.searchsorted(self.allowed(node), token))
            if place == len(self.allowed(node)) or self.allowed(node)[place] != token:
                return None
            node = int(self.first_child[node]) + place
        return node


def build_trie(sequences: Sequence[Sequence[int]]) -> Trie:
    """The trie of the items' token sequences, item number = position.

    Sorts the sequences once; a level is then a run-length encoding of the sorted rows.

    Raises:
        LlmI2iError: There are no items, a sequence is empty, or one is the beginning of another (close them with the end token).
    """
    rows, lengths = _table(sequences)
    order = np.lexsort(rows.T[::-1])
    rows, lengths = rows[order], lengths[order]
    n_items, depth = rows.shape
    is_new = np.zeros(n_items, dtype=bool)  # does the row leave the path of the row before?
    is_new[0] = True
    alive = np.arange(n_items)  # rows that reach the level
    parent = np.zeros(n_items, dtype=np.int64)  # their nodes one level up
    tokens, items, counts = [np.array([-1], np.int32)], [np.array([-1], np.int32)], []
    first = 0  # number of the first node one level up
    n_above = 1
    for level in range(depth):
        reaches = lengths[alive] > level
        alive, parent = alive[reaches], parent[reaches]
        is_new[1:] |= rows[1:, level] != rows[:-1, level]
        starts = is_new[alive]
        node = np.cumsum(starts) - 1  # within this level
        counts.append(np.bincount(parent[starts] - first, minlength=n_above))
        tokens.append(rows[alive[starts], level].astype(np.int32))
        level_items = np.full(len(tokens[-1]), -1, dtype=np.int32)
        ends = lengths[alive] == level + 1
        level_items[node[ends]] = order[alive[ends]]
        if np.bincount(node, minlength=1)[node[ends]].max(initial=1) > 1:
            raise _not_prefix_free(sequences, order[alive], node, ends)
        items.append(level_items)
        first, n_above = first + n_above, len(level_items)
        parent = node + first
    counts.append(np.zeros(n_above, dtype=np.int64))
    first_child = np.concatenate([[1], 1 + np.cumsum(np.concatenate(counts))]).astype(np.int32)
    return Trie(np.concatenate(tokens), first_child, np.concatenate(items), depth)


def _table(sequences: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Right-padded sequences (padding sorts first) and their lengths."""
    lengths = np.fromiter((len(tokens) for tokens in sequences), np.int64, len(sequences))
    if not len(lengths) or not lengths.all():
        raise LlmI2iError(
            "an item has no tokens" if len(lengths) else "there are no items to choose from",
            where="items.item_token",
        )
    rows = np.full((len(lengths), int(lengths.max())), -1, dtype=np.int64)
    flat = np.fromiter((t for tokens in sequences for t in tokens), np.int64, int(lengths.sum()))
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = flat
    return rows, lengths


def _not_prefix_free(
    sequences: Sequence[Sequence[int]], items: Ints, node: Ints, ends: npt.NDArray[np.bool_]
) -> LlmI2iError:
    shared = np.flatnonzero(ends & (np.bincount(node)[node] > 1))[0]
    one, other = items[node == node[shared]][:2]
    return LlmI2iError(
        "the tokens of one item are the beginning of another's",
        where="items.item_token",
        found=f"items number {one} and {other}, {list(sequences[one])} and {list(sequences[other])}",
        fix="close every sequence with the end token, and make item tokens unique",
    )
