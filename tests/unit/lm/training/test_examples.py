from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.items import BOS
from llm_i2i.lm.training.examples import (
    Examples,
    encode_examples,
    make_batch,
    plan_batches,
    read_examples,
    vocabulary_for,
)


def encode(
    table: pa.Table, max_length: int = 50, items: pa.Table | None = None
) -> tuple[Examples, tuple[str, ...]]:
    raw = read_examples(table)
    vocabulary = vocabulary_for(raw, items, None)
    return encode_examples(raw, vocabulary, max_length), vocabulary.words


def row(
    examples: Examples, words: tuple[str, ...], number: int
) -> tuple[list[str], list[float], list[float]]:
    at = slice(examples.starts[number], examples.starts[number] + examples.lengths[number])
    return (
        [words[t] for t in examples.tokens[at]],
        examples.weights[at].tolist(),
        examples.shares[at].tolist(),
    )


def test_sequence_row():
    table = pa.table(
        {"prompt": ["Recent"], "completions": [["a", "b", "c"]], "weights": [[0.0, 4.0, 1.0]]}
    )
    examples, words = encode(table)
    assert row(examples, words, 0) == (
        ["<s>", "Recent", "a", "b", "c"],
        [0, 0, 0, 4, 1],
        [0, 0, 0, 1, 1],
    )


def test_example_row_spreads_its_weight_over_the_answer():
    table = pa.table(
        {"prompt": ["a ?", "b ?"], "completion": ["yes of course", "no"], "weight": [3.0, 1.0]}
    )
    examples, words = encode(table)
    assert row(examples, words, 0)[:2] == (
        ["<s>", "a", "?", "yes", "of", "course"],
        [0, 0, 0, 1, 1, 1],
    )
    np.testing.assert_allclose(
        row(examples, words, 0)[2], [0, 0, 0, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6
    )


def test_truncation_keeps_the_newest_and_the_first_kept_is_context():
    table = pa.table(
        {"prompt": ["Recent"], "completions": [["a", "b", "c", "d"]], "weights": [[1.0] * 4]}
    )
    examples, words = encode(table, max_length=4)
    # Four inputs: <s> Recent b c; d is only ever a target.
    assert row(examples, words, 0)[:2] == (["<s>", "Recent", "b", "c", "d"], [0, 0, 0, 1, 1])


def test_truncation_cuts_a_prompt_never_its_answer():
    prompt = "a b c candidate d ?"
    table = pa.table({"prompt": [prompt, "a"], "completion": ["Yes", "No"], "weight": [1.0, 1.0]})
    items = pa.table({"item_token": ["a", "b", "c", "d"]})
    examples, words = encode(table, max_length=5, items=items)
    assert row(examples, words, 0)[0] == ["<s>", "c", "candidate", "d", "?", "Yes"]


def test_batch_is_right_padded_and_knows_its_targets():
    table = pa.table(
        {
            "prompt": ["", ""],
            "completions": [["a", "b"], ["c", "a", "b"]],
            "weights": [[0.0, 2.0], [0.0, 1.0, 0.0]],
        }
    )
    examples, words = encode(table)
    batch = make_batch(examples, np.array([0, 1]))
    assert [[words[t] for t in r] for r in batch.inputs] == [
        ["<s>", "a", "<pad>"],
        ["<s>", "c", "a"],
    ]
    assert batch.places[:2].tolist() == [1, 4]  # rows are three long
    assert [words[t] for t in batch.targets[:2]] == ["b", "a"]
    assert batch.weights[:2].tolist() == [2.0, 1.0]
    assert batch.n_targets == 2.0
    assert len(batch.places) == len(batch.weights) == 64  # the rest is blank
    assert not batch.weights[2:].any()


def test_each_epoch_sees_every_row_once(sequences: pa.Table):
    examples, _ = encode(sequences)
    batches = plan_batches(examples, 7, np.random.default_rng(0))
    assert sorted(row for rows in batches for row in rows) == list(range(len(examples)))
    made = [make_batch(examples, rows) for rows in batches]
    assert sum(batch.n_targets for batch in made) == (examples.weights > 0).sum()
    assert all((batch.inputs[:, 0] == BOS).all() for batch in made)


def test_rows_of_context_alone_make_no_batch():
    table = pa.table(
        {
            "prompt": [""] * 3,
            "completions": [["a"], ["a", "b"], []],
            "weights": [[0.0], [0.0, 1.0], []],
        }
    )
    examples, _ = encode(table)
    assert [rows.tolist() for rows in plan_batches(examples, 1, np.random.default_rng(0))] == [[1]]


def test_batches_hold_equally_many_tokens():
    walks = [["a"] * (2 + 18 * (n % 2)) for n in range(2000)]
    weights = [[1.0] * len(walk) for walk in walks]
    table = pa.table({"prompt": [""] * 2000, "completions": walks, "weights": weights})
    examples, _ = encode(table)
    sizes = [
        make_batch(examples, rows).inputs.size
        for rows in plan_batches(examples, 64, np.random.default_rng(0))
    ]
    assert len(sizes) == pytest.approx(2000 / 64, rel=0.15)
    assert np.median(sizes) == pytest.approx(64 * 11, rel=0.15)  # 11 inputs a row on average


def test_few_one_word_answers_are_labels(questions: pa.Table):
    assert read_examples(questions).labels == ("No", "Yes")
    many = pa.table(
        {"prompt": ["?"] * 11, "completion": [f"w{n}" for n in range(11)], "weight": [1.0] * 11}
    )
    assert read_examples(many).kind == "completion"


def test_items_come_from_the_relation_first_in_its_order(sequences: pa.Table, items: pa.Table):
    vocabulary = vocabulary_for(read_examples(sequences), items, None)
    assert list(vocabulary.item_tokens) == items["item_token"].to_pylist()
    assert vocabulary.words[vocabulary.item_ids.stop :] == ("Recent",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prompt": [""], "text": [""]}, "neither of the two shapes"),
        ({"prompt": [""], "completions": [["a"]], "weights": [[1.0, 1.0]]}, "differ in length"),
        ({"prompt": [""], "completions": [["a", None]], "weights": [[1.0, 1.0]]}, "null in it"),
        ({"prompt": [None], "completions": [["a"]], "weights": [[1.0]]}, "'prompt' has nulls"),
        ({"prompt": [""], "completions": [["a"]], "weights": [[0.0]]}, "nothing to learn"),
        ({"prompt": [""], "completions": [["a"]], "weights": [[-1.0]]}, "negative or not finite"),
        (
            {"prompt": [""], "completions": [["a"]], "weights": [[float("nan")]]},
            "negative or not finite",
        ),
        (
            {"prompt": ["", ""], "completion": ["a", " "], "weight": [1.0, 1.0]},
            "completion is empty",
        ),
    ],
)
def test_mistakes_in_the_rows(columns: dict[str, list[object]], message: str):
    with pytest.raises(LlmI2iError, match=message):
        read_examples(pa.table(columns))


@pytest.mark.parametrize(
    "schema",
    [
        {"prompt": pa.string(), "completion": pa.string(), "weight": pa.float64()},
        {
            "prompt": pa.string(),
            "completions": pa.list_(pa.string()),
            "weights": pa.list_(pa.float64()),
        },
    ],
)
def test_no_rows(schema: dict[str, pa.DataType]):
    with pytest.raises(LlmI2iError, match="nothing to learn"):
        read_examples(pa.schema(schema).empty_table())
    with pytest.raises(LlmI2iError, match="nothing to learn"):
        read_examples(pa.Table.from_batches([], pa.schema(schema)))


def test_a_completion_that_is_no_item(sequences: pa.Table):
    with pytest.raises(LlmI2iError, match="'<i_1>' is not an item"):
        vocabulary_for(read_examples(sequences), pa.table({"item_token": ["<i_0>"]}), None)
