# ruff: noqa: TID253  -- tests of the folder that owns torch.
from __future__ import annotations

from typing import Any

import pyarrow as pa
import torch

from llm_i2i.lm.training.text_start import TextStart, text_start

WORDS = ["lantern", "camping", "lights", "rope"]


class Tokenizer:
    """One token a word, numbered as in WORDS."""

    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[WORDS.index(word) for word in text.split()] for text in texts]}

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [f"<i_{number - 100}>" for number in ids]


def items(**features: list[tuple[str, float]]) -> pa.Table:
    rows = [
        {"item_token": f"<{name}>", "features": [{"name": n, "weight": w} for n, w in found]}
        for name, found in features.items()
    ]
    struct = pa.struct([("name", pa.string()), ("weight", pa.float64())])
    return pa.Table.from_pylist(rows, pa.schema([("item_token", pa.string()), ("features", pa.list_(struct))]))  # fmt: skip


TABLE = torch.randn(200, 8, generator=torch.Generator().manual_seed(1)) * 0.3 + 1.0
FOUND = items(
    i_1=[("word:lantern", 3.0), ("level:camping lights", 1.0)],
    i_2=[("word:lantern", 3.0), ("level:camping lights", 1.0)],
    i_3=[("word:rope", 2.0)],
    i_4=[],
)


def test_an_item_starts_at_the_weighted_mean_of_its_words() -> None:
    rows = TextStart(Tokenizer(), FOUND, ["<i_1>", "<i_2>", "<i_3>"])(TABLE)
    lantern, camping, lights, rope = TABLE[:4]
    first = (3 * lantern + (camping + lights) / 2) / 4
    plain = torch.stack([first, first, rope])
    centred = plain - plain.mean(dim=0)
    expected = TABLE.mean(dim=0) + centred * TABLE.std() / centred.std()
    torch.testing.assert_close(rows, expected)


def test_what_has_no_text_starts_at_the_mean() -> None:
    rows = TextStart(Tokenizer(), FOUND, ["<i_4>", "<i_9>", "<i_3>", "<i_1>"])(TABLE)
    torch.testing.assert_close(rows[:2], TABLE.mean(dim=0).repeat(2, 1))
    assert not torch.allclose(rows[2], rows[3])


def test_rows_are_as_far_apart_as_the_words_of_the_table() -> None:
    rows = TextStart(Tokenizer(), FOUND, ["<i_1>", "<i_3>"])(TABLE)
    torch.testing.assert_close((rows - rows.mean(dim=0)).std(), TABLE.std(), rtol=1e-4, atol=0)


def test_a_code_word_stands_for_all_items_that_have_it() -> None:
    coded = FOUND.set_column(0, "item_token", pa.array(["<a_1> <b_1>", "<a_1> <b_2>", "<a_2> <b_1>", "<a_3> <b_3>"]))  # fmt: skip
    rows = TextStart(Tokenizer(), coded, ["<a_1>", "<a_2>", "<b_1>"])(TABLE)
    lantern, camping, lights, rope = TABLE[:4]
    first = (3 * lantern + (camping + lights) / 2) / 4
    both = (3 * lantern + (camping + lights) / 2 + 2 * rope) / 6
    plain = torch.stack([first, rope, both])
    centred = plain - plain.mean(dim=0)
    torch.testing.assert_close(rows, TABLE.mean(dim=0) + centred * TABLE.std() / centred.std())


def test_added_tokens_of_items_without_features_have_no_start() -> None:
    assert text_start(Tokenizer(), None, [101]) is None
    assert text_start(Tokenizer(), FOUND.drop_columns(["features"]), [101]) is None
    assert text_start(Tokenizer(), FOUND, []) is None
    start = text_start(Tokenizer(), FOUND, [103, 101])
    assert start is not None
    assert start(TABLE).shape == (2, 8)
