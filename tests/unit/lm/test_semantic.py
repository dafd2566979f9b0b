from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.semantic import code_words, semantic_codes

UDFS = Path(__file__).parents[3] / "udfs"


def load(name):
    spec = importlib.util.spec_from_file_location(f"udfs_{name}", UDFS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@pytest.fixture
def clusters():
    """Six far clusters of 50 points around tight sub-clusters of 10, and the number of each point's cluster."""
    random = np.random.default_rng(3)
    outer = 10 * random.normal(size=(6, 8))
    inner = random.normal(size=(6, 5, 8))
    points = (outer[:, None] + inner).repeat(10, axis=1).reshape(-1, 8)
    points += 0.01 * random.normal(size=points.shape)
    return points.astype(np.float32), np.arange(6).repeat(50), np.arange(30).repeat(10)


def test_codes_find_the_clusters_level_by_level(clusters):
    points, outer, inner = clusters
    codes = semantic_codes(points, levels=2, codes=6, random_seed=1)
    assert codes.shape == (300, 3)
    assert len({(o, c) for o, c in zip(outer, codes[:, 0], strict=True)}) == 6
    # The second level splits what the first left: most sub-clusters get codes of their own.
    pairs = {i: {tuple(c) for c in codes[inner == i, :2].tolist()} for i in range(30)}
    assert all(len(found) == 1 for found in pairs.values())
    assert len(set.union(*pairs.values())) >= 20


def test_rows_are_distinct_and_repeatable(clusters):
    points = np.concatenate([clusters[0], clusters[0][:20], clusters[0][:20]])
    codes = semantic_codes(points, levels=1, codes=4, random_seed=1)
    assert len(np.unique(codes, axis=0)) == len(points)
    np.testing.assert_array_equal(codes, semantic_codes(points, levels=1, codes=4, random_seed=1))
    # The last code counts 0, 1, 2 ... in each group, in the order of the items.
    for group in np.unique(codes[:, 0]):
        last = codes[codes[:, 0] == group, 1]
        assert last.tolist() == list(range(len(last)))


def test_each_level_brings_the_reconstruction_closer():
    random = np.random.default_rng(0)
    points = random.normal(size=(2000, 6)).astype(np.float32)

    def spread(levels):
        codes = semantic_codes(points, levels=levels, codes=8, random_seed=0)
        groups = np.unique(codes[:, :-1], axis=0, return_inverse=True)[1].ravel()
        sums = np.zeros((groups.max() + 1, 6))
        np.add.at(sums, groups, points)
        centres = sums / np.bincount(groups)[:, None]
        return float(((points - centres[groups]) ** 2).sum(axis=1).mean())

    errors = [spread(levels) for levels in (1, 2, 3)]
    assert errors[0] < 0.8 * 6
    assert errors[1] < 0.8 * errors[0]
    assert errors[2] < 0.8 * errors[1]


def test_fewer_points_than_codes():
    points = np.eye(3, dtype=np.float32).repeat(2, axis=0)
    codes = semantic_codes(points, levels=2, codes=256, random_seed=0)
    assert codes[:, 0].max() == 2
    assert codes[:, -1].tolist() == [0, 1] * 3


def test_words():
    assert code_words(np.array([[12, 7, 201, 0], [0, 0, 0, 3]])) == [
        "<a_12> <b_7> <c_201> <d_0>",
        "<a_0> <b_0> <c_0> <d_3>",
    ]


def test_the_udf():
    items = pa.table(
        {"item_id": ["x", "y", "z"], "embedding": [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]}
    )
    found = load("semantic_ids")(items, levels=1, codes=2, random_seed=0)
    assert found["item_id"].to_pylist() == ["x", "y", "z"]
    first, second, third = (t.split() for t in found["item_token"].to_pylist())
    assert first[0] == third[0] != second[0]
    assert [first[1], third[1]] == ["<b_0>", "<b_1>"]


@pytest.mark.parametrize(
    ("embedding", "settings", "message"),
    [
        ([[1.0], [1.0, 2.0]], {}, "equally long"),
        ([[1.0], None], {}, "equally long"),
        ([[1.0], [float("nan")]], {}, "not finite"),
        ([[1.0], [2.0]], {"levels": 26}, "1 to 25 levels"),
        ([[1.0], [2.0]], {"codes": 1}, "at least 2 codes"),
    ],
)
def test_bad_input(embedding, settings, message):
    items = pa.table({"item_id": ["x", "y"], "embedding": embedding})
    with pytest.raises(LlmI2iError, match=message):
        load("semantic_ids")(items, **settings)


# -- embeddings ----------------------------------------------------------------------------------------


@pytest.fixture
def world():
    """Items 0-9 and 10-19 differ in terms; users buy even items together, or odd ones."""
    items = pa.table({"item_id": [f"i{n}" for n in range(21)]})
    terms = [(f"i{n}", f"t{n // 10}{k}", 1.0) for n in range(20) for k in (0, 1, n % 3 + 2)]
    events = [(f"u{u}", f"i{(2 * k * u + u) % 20}") for u in range(40) for k in range(4)]
    return (
        items,
        pa.table(dict(zip(("item_id", "name", "weight"), zip(*terms, strict=True), strict=True))),
        pa.table(dict(zip(("user_id", "item_id"), zip(*events, strict=True), strict=True))),
    )


def test_embeddings_hold_text_and_behaviour(world):
    items, terms, events = world
    table = load("svd_embeddings")(items, terms=terms, events=events, size=12, random_seed=0)
    vectors = np.stack(table["embedding"].to_numpy())
    assert vectors.shape == (21, 12)
    text, behaviour = vectors[:, :6], vectors[:, 6:]
    np.testing.assert_allclose(np.linalg.norm(text[:20], axis=1), 1.0, atol=1e-5)
    near = text[:20] @ text[:20].T
    assert near[:10, :10].min() > near[:10, 10:].max()
    parity = behaviour[:20] @ behaviour[:20].T
    even = np.arange(20) % 2 == 0
    assert parity[even][:, even].mean() > parity[even][:, ~even].mean() + 0.2
    assert not vectors[20].any()  # no text, no company
    again = load("svd_embeddings")(items, terms=terms, events=events, size=12, random_seed=0)
    assert again.equals(table)


def test_embeddings_of_one_kind_take_the_whole_width(world):
    items, terms, events = world
    for given in ({"terms": terms}, {"events": events}):
        vectors = np.stack(load("svd_embeddings")(items, size=5, **given)["embedding"].to_numpy())
        assert vectors.shape == (21, 5)
        np.testing.assert_allclose(np.linalg.norm(vectors[:20], axis=1), 1.0, atol=1e-5)


def test_bad_relations(world):
    items, terms, events = world
    embed = load("svd_embeddings")
    with pytest.raises(LlmI2iError, match="terms, events or both"):
        embed(items)
    with pytest.raises(LlmI2iError, match="'i3' is not among the items"):
        embed(items.slice(0, 3), terms=terms)
    with pytest.raises(LlmI2iError, match="'user_id' is missing"):
        embed(items, events=events.select(["item_id"]))
