from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import (
    METADATA,
    TOKENIZER,
    WEIGHTS,
    check_complete,
    checkpoint_digest,
    load_metadata,
    load_vocabulary,
)
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.settings import FromSizesSettings

Tiny = Callable[..., FromSizesSettings]


@pytest.fixture
def checkpoint(folder: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny) -> Path:
    train_checkpoint(sequences, folder, tiny(epochs=1), items=items, random_seed=7)
    return folder


def test_metadata_comes_back(checkpoint: Path, tiny: Tiny):
    metadata = check_complete(checkpoint)
    assert metadata.settings == tiny(epochs=1)
    assert (metadata.kind, metadata.n_items, metadata.random_seed) == ("sequence", 13, 7)


def test_no_pickle_only_declared_files(checkpoint: Path):
    assert {path.name for path in checkpoint.iterdir()} == {
        "config.json", METADATA, WEIGHTS, TOKENIZER, "tokenizer_config.json",
    }  # fmt: skip


def test_vocabulary_of_the_tokenizer_is_ours(checkpoint: Path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    vocabulary = load_vocabulary(checkpoint, load_metadata(checkpoint))
    for prompt in ("Recent <i_3> <i_11>", "", "nobody knows <i_new>", "  <i_0>\t<i_1> "):
        assert tokenizer(prompt)["input_ids"] == vocabulary.encode(prompt, 50)


def test_the_checkpoint_is_a_plain_llama(checkpoint: Path):
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["tie_word_embeddings"] is True


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_weights_cut_short(checkpoint: Path, keep: int):
    weights = checkpoint / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(LlmI2iError, match="cut short") as caught:
        backend_for(checkpoint)
    assert caught.value.where == str(weights)
    assert "bytes instead of" in caught.value.found
    assert "--full-refresh" in caught.value.fix


def test_damaged_header(checkpoint: Path):
    weights = checkpoint / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[8:12] = b"????"
    weights.write_bytes(data)
    with pytest.raises(LlmI2iError, match="damaged"):
        check_complete(checkpoint)


@pytest.mark.parametrize("name", [METADATA, WEIGHTS, TOKENIZER, "config.json"])
def test_missing_file(checkpoint: Path, name: str):
    (checkpoint / name).unlink()
    with pytest.raises(LlmI2iError, match=f"has no {name}"):
        check_complete(checkpoint)


def test_missing_folder(tmp_path: Path):
    with pytest.raises(LlmI2iError) as caught:
        backend_for(tmp_path / "nowhere")
    assert caught.value.found == "no such folder"


def test_damaged_json(checkpoint: Path):
    (checkpoint / METADATA).write_text('{"format": 1,')
    with pytest.raises(LlmI2iError, match="damaged"):
        check_complete(checkpoint)


def test_digest_is_that_of_the_weights(checkpoint: Path):
    before = checkpoint_digest(checkpoint)
    (checkpoint / METADATA).write_text("{}")
    assert checkpoint_digest(checkpoint) == before
    (checkpoint / WEIGHTS).write_bytes(b"other")
    assert checkpoint_digest(checkpoint) != before
    assert len(before) == 12


def test_a_checkpoint_of_the_first_days(checkpoint: Path):
    # Neither `n_items` nor `vocabulary`, and no settings that came later.
    values = json.loads((checkpoint / METADATA).read_text())
    expected = load_metadata(checkpoint)
    for name in ("n_items", "vocabulary"):
        del values[name]
    del values["settings"]["schedule"]
    (checkpoint / METADATA).write_text(json.dumps(values))
    assert load_metadata(checkpoint) == expected
    assert load_vocabulary(checkpoint, check_complete(checkpoint)).n_items == 13


def test_a_tokenizer_checkpoint_needs_its_items(checkpoint: Path):
    values = json.loads((checkpoint / METADATA).read_text())
    values |= {"vocabulary": "tokenizer", "settings": {"pretrained": "llama"}}
    (checkpoint / METADATA).write_text(json.dumps(values))
    with pytest.raises(LlmI2iError, match=r"has no items\.json"):
        check_complete(checkpoint)
