"""Other ways to compute Swing, to compare with: plain Python, scipy.sparse, numba.

All take events as parallel arrays of dense numbers and give what the SQL model `swing_sums` gives, for each pair of items
i < j with a user in common: the sum over user pairs u < v and the u = v terms (w_u = 1/sqrt|I_u|, alpha = 1; method.md 6.1).
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Pairs = tuple[Ints, Floats, Floats]  # i * n_items + j, sum over u < v, sum over u = v


def python_swing(users: Ints, items: Ints) -> dict[tuple[int, int], list[float]]:
    """Set loops over the users of an item, as tutorials show it."""
    items_of: dict[int, set[int]] = defaultdict(set)
    users_of: dict[int, set[int]] = defaultdict(set)
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        items_of[user].add(item)
        users_of[item].add(user)
    weight = {user: len(own) ** -0.5 for user, own in items_of.items()}
    scores: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for user, own in items_of.items():
        term = weight[user] ** 2 / (1 + len(own))
        for i, j in combinations(sorted(own), 2):
            scores[i, j][1] += term
    done: set[tuple[int, int]] = set()
    for fans in users_of.values():
        for u, v in combinations(sorted(fans), 2):
            if (u, v) in done:
                continue
            done.add((u, v))
            common = items_of[u] & items_of[v]
            if len(common) < 2:
                continue
            term = weight[u] * weight[v] / (1 + len(common))
            for i, j in combinations(sorted(common), 2):
                scores[i, j][0] += term
    return dict(scores)


def scipy_swing(users: Ints, items: Ints) -> Pairs:
    """Sparse matrices: overlaps from R Rᵀ, then items of each pair of users."""
    from scipy import sparse

    shape = (int(users.max()) + 1, int(items.max()) + 1)
    incidence = sparse.csr_matrix((np.ones(len(users)), (users, items)), shape=shape)
    weight = 1 / np.sqrt(np.maximum(np.diff(incidence.indptr), 1))
    overlap = sparse.triu(incidence @ incidence.T, k=1).tocoo()
    keep = overlap.data >= 2
    u, v, common = overlap.row[keep], overlap.col[keep], overlap.data[keep]
    terms = weight[u] * weight[v] / (1 + common)
    shared = incidence[u].multiply(incidence[v]).tocsr()
    pairs = sparse.triu(
        shared.T.tocsr() @ (sparse.diags_array(terms).tocsr() @ shared), k=1
    ).tocoo()
    own = sparse.diags_array(weight**2 / (1 + np.diff(incidence.indptr))).tocsr() @ incidence
    selves = sparse.triu(incidence.T.tocsr() @ own, k=1).tocoo()
    keys = selves.row.astype(np.int64) * shape[1] + selves.col
    order = np.argsort(keys)
    sums = np.zeros(len(keys))
    places = np.searchsorted(keys, pairs.row.astype(np.int64) * shape[1] + pairs.col, sorter=order)
    sums[order[places]] = pairs.data
    return keys, sums, selves.data


def numba_swing(users: Ints, items: Ints) -> Pairs:
    """Compiled loops: for each pair of users met at an item, merge their sorted item lists once."""
    order = np.lexsort((items, users))
    users, items = users[order], items[order]
    user_start = np.searchsorted(users, np.arange(users.max() + 2))
    by_item = np.lexsort((users, items))
    item_start = np.searchsorted(items[by_item], np.arange(items.max() + 2))
    n_items = int(items.max()) + 1
    swing_terms, self_terms = _kernels()
    keys, terms = swing_terms(user_start, items, item_start, users[by_item], n_items)
    self_keys, selves = self_terms(user_start, items, n_items)
    unique, inverse = np.unique(self_keys, return_inverse=True)
    sums = np.zeros(len(unique))
    np.add.at(sums, np.searchsorted(unique, keys), terms)
    return unique, sums, np.bincount(inverse, weights=selves)


_compiled = None


def _kernels():  # type: ignore[no-untyped-def]
    global _compiled
    if _compiled is None:
        import numba

        _compiled = numba.njit(_swing_terms), numba.njit(_self_terms)
    return _compiled


def _self_terms(user_start, items, n_items):  # type: ignore[no-untyped-def]
    sizes = user_start[1:] - user_start[:-1]
    total = int((sizes * (sizes - 1) // 2).sum())
    keys, terms = np.empty(total, np.int64), np.empty(total, np.float64)
    size = 0
    for u in range(len(sizes)):
        n = sizes[u]
        for x in range(user_start[u], user_start[u + 1]):
            for y in range(x + 1, user_start[u + 1]):
                keys[size], terms[size] = items[x] * n_items + items[y], 1.0 / n / (1 + n)
                size += 1
    return keys, terms


def _swing_terms(user_start, items, item_start, fans, n_items):  # type: ignore[no-untyped-def]
    n_users = len(user_start) - 1
    overlap = np.zeros(n_users, dtype=np.int64)
    touched = np.empty(n_users, dtype=np.int64)
    capacity = 1 << 20
    keys, terms = np.empty(capacity, np.int64), np.empty(capacity, np.float64)
    size = 0
    for u in range(n_users):
        n_touched = 0
        for position in range(user_start[u], user_start[u + 1]):
            item = items[position]
            for k in range(item_start[item], item_start[item + 1]):
                v = fans[k]
                if v > u:
                    if overlap[v] == 0:
                        touched[n_touched] = v
                        n_touched += 1
                    overlap[v] += 1
        size_u = user_start[u + 1] - user_start[u]
        for t in range(n_touched):
            v = touched[t]
            common = overlap[v]
            overlap[v] = 0
            if common < 2:
                continue
            size_v = user_start[v + 1] - user_start[v]
            term = 1.0 / np.sqrt(size_u * size_v) / (1 + common)
            shared = np.empty(common, np.int64)
            a, b, n = user_start[u], user_start[v], 0
            while n < common:
                if items[a] == items[b]:
                    shared[n] = items[a]
                    n, a, b = n + 1, a + 1, b + 1
                elif items[a] < items[b]:
                    a += 1
                else:
                    b += 1
            needed = size + common * (common - 1) // 2
            if needed > capacity:
                capacity = max(2 * capacity, needed)
                bigger_keys, bigger_terms = (
                    np.empty(capacity, np.int64),
                    np.empty(capacity, np.float64),
                )
                bigger_keys[:size], bigger_terms[:size] = keys[:size], terms[:size]
                keys, terms = bigger_keys, bigger_terms
            for x in range(common):
                for y in range(x + 1, common):
                    keys[size], terms[size] = shared[x] * n_items + shared[y], term
                    size += 1
    return keys[:size], terms[:size]
