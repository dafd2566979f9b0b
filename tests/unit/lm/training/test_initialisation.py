from __future__ import annotations

import numpy as np

from llm_i2i.lm.training.initialisation import STD, ppmi_embeddings


def two_worlds() -> tuple[np.ndarray, np.ndarray]:
    """Sequences within items 0-4 or within items 5-9; item 10 is never seen, item 11 only alone."""
    random = np.random.default_rng(0)
    rows, columns = [], []
    for sequence in range(60):
        for item in random.choice(5, 3, replace=False):
            rows.append(sequence)
            columns.append(item + 5 * (sequence % 2))
    return np.array([*rows, 60]), np.array([*columns, 11])


def test_items_bought_together_are_near():
    rows, columns = two_worlds()
    embeddings = ppmi_embeddings(rows, columns, 12, 2, seed=1)
    unit = embeddings[:10] / np.linalg.norm(embeddings[:10], axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert cosines[:5, :5].min() > 0.7
    assert np.abs(cosines[:5, 5:]).max() < 0.5


def test_scale_and_unseen_items():
    rows, columns = two_worlds()
    embeddings = ppmi_embeddings(rows, columns, 12, 4, seed=1)
    assert embeddings.dtype == np.float32
    assert not embeddings[10:].any()
    np.testing.assert_allclose(embeddings[:10].std(), STD, rtol=0.05)


def test_repeats_exactly():
    rows, columns = two_worlds()
    np.testing.assert_array_equal(
        ppmi_embeddings(rows, columns, 12, 4, seed=1), ppmi_embeddings(rows, columns, 12, 4, seed=1)
    )


def test_more_dimensions_than_items():
    rows, columns = two_worlds()
    assert np.isfinite(ppmi_embeddings(rows, columns, 12, 64, seed=1)).all()


def test_nothing_bought_together():
    assert not ppmi_embeddings(np.array([0, 1]), np.array([0, 1]), 3, 4, seed=1).any()
    nobody = np.array([], dtype=np.int64)
    assert not ppmi_embeddings(nobody, nobody, 3, 4, seed=1).any()
