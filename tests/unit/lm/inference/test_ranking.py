from __future__ import annotations

import numpy as np
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.inference.ranking import label_ids, padded_batches
from llm_i2i.lm.items import build_vocabulary


def test_batches_hold_every_row_once_within_both_bounds():
    random = np.random.default_rng(0)
    rows = [list(range(1, 1 + n)) for n in random.integers(1, 30, 100)]
    seen = []
    for index, tokens, lengths in padded_batches(rows, max_tokens=64, max_rows=7):
        assert len(index) <= 7
        assert tokens.size <= 64 or len(index) == 1
        for row, padded, length in zip(index, tokens, lengths, strict=True):
            assert padded[:length].tolist() == rows[row]
            assert not padded[length:].any()
            seen.append(row)
    assert sorted(seen) == list(range(100))


def test_no_rows():
    assert list(padded_batches([], 10, 10)) == []


def test_unknown_label_names_the_closest():
    vocabulary = build_vocabulary(["<i_1>"], ["Yes", "No"])
    assert label_ids(vocabulary, ["Yes", "No"]) == [vocabulary.ids["Yes"], vocabulary.ids["No"]]
    with pytest.raises(LlmI2iError, match="no word 'Yess'") as caught:
        label_ids(vocabulary, ["Yess"])
    assert "'Yes'" in caught.value.found
