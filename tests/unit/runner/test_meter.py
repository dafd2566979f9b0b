from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from llm_i2i.lm.checkpoint import load_metadata, load_vocabulary
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.settings import settings_from
from llm_i2i.runner.build.meter import call_meter

ROWS = [["<a> <b> nobody knows", 3], ["", 4], ["<a> " * 80, 5]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    examples = pa.table({"prompt": [""], "completions": [["<a>", "<b>"]], "weights": [[0.0, 1.0]]})
    settings = {"architecture": "fake", "backend": "fake", "max_length": 20}
    train_checkpoint(examples, tmp_path / "judge/abc/artifact", settings_from(settings))
    return tmp_path


def test_tokens_are_those_the_checkpoint_reads(store: Path):
    meter = call_meter("score", {"model": "judge/abc/artifact@123"}, store)
    folder = store / "judge/abc/artifact"
    vocabulary = load_vocabulary(folder, load_metadata(folder))
    assert meter.unit == "tokens"
    assert meter.subject == "score on fake, 0 MB"
    assert meter.tokens(ROWS) == sum(len(vocabulary.encode(str(row[0]), 20)) for row in ROWS)


def test_words_without_a_checkpoint(store: Path):
    for constants in ({}, {"model": None}, {"model": "judge/other/artifact@1"}):
        meter = call_meter("score", constants, store)
        assert (meter.subject, meter.unit, meter.tokens(ROWS)) == ("score", "words", 84)
