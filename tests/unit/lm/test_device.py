"""What `auto` means on machines of all kinds: each is made up, none of them is needed."""
# ruff: noqa: TID253  -- tests of the module that owns torch.

from __future__ import annotations

import importlib.util
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import Metadata, load_metadata, save_metadata
from llm_i2i.lm.device import choose_backend, choose_device, choose_precision
from llm_i2i.lm.inference.openai import server_arguments
from llm_i2i.lm.inference.transformers import TransformersBackend
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import FromSizesSettings
from llm_i2i.lm.training.job import TrainingJob
from llm_i2i.lm.training.worker import run_job
from tests.tiny_llama import ITEMS, catalogue, llama_settings, next_items, write_llama


def machine(
    monkeypatch: pytest.MonkeyPatch, *, cuda: bool = False, mps: bool = False, vllm: bool = False
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    find = importlib.util.find_spec
    found = object() if vllm else None
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: found if name == "vllm" else find(name, *a)
    )


@pytest.mark.parametrize(
    ("here", "device", "precision"),
    [
        ({}, "cpu", "float32"),
        ({"mps": True}, "mps", "float32"),
        ({"cuda": True}, "cuda", "bfloat16"),
        ({"cuda": True, "mps": True}, "cuda", "bfloat16"),
    ],
)
def test_auto_takes_the_gpu_and_its_numbers(
    monkeypatch: pytest.MonkeyPatch, here: dict[str, bool], device: str, precision: str
) -> None:
    machine(monkeypatch, **here)
    assert choose_device() == device
    assert choose_precision("auto", device) == precision
    assert choose_device("cpu") == "cpu"
    assert choose_precision("float16", device) == "float16"


def test_a_device_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    with pytest.raises(LlmI2iError, match="no cuda device") as caught:
        choose_device("cuda")
    assert "device: auto" in caught.value.fix


@pytest.mark.parametrize(
    ("here", "backend"),
    [
        ({}, "transformers"),
        ({"vllm": True}, "transformers"),
        ({"cuda": True}, "transformers"),
        ({"cuda": True, "vllm": True}, "vllm"),
        ({"mps": True, "vllm": True}, "transformers"),
    ],
)
def test_auto_takes_vllm_where_it_has_a_gpu(
    monkeypatch: pytest.MonkeyPatch, here: dict[str, bool], backend: str
) -> None:
    machine(monkeypatch, **here)
    assert choose_backend("auto") == backend
    assert choose_backend("openai") == "openai"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained with everything at `auto`."""
    base = tmp_path_factory.mktemp("device")
    write_llama(base / "llama")
    folder = base / "checkpoint"
    folder.mkdir()
    job = TrainingJob(
        next_items(8), catalogue(), llama_settings(), None, 1, folder, base / "states", base
    )
    run_job(job)
    return folder


def test_a_checkpoint_records_the_numbers_it_was_trained_in(checkpoint: Path) -> None:
    settings = load_metadata(checkpoint).settings
    assert (settings.backend, getattr(settings, "precision", None)) == ("auto", "float32")


PROMPTS = ["Recent products: sku 9, sku 22. Next:", "Recent products: sku 35. Next:"]


def test_a_checkpoint_runs_in_bfloat16_with_logits_in_float32(checkpoint: Path) -> None:
    exact = backend_for(checkpoint)
    halved = backend_for(checkpoint, serving=ServingSettings(dtype="bfloat16"))
    assert isinstance(exact, TransformersBackend)
    assert isinstance(halved, TransformersBackend)
    assert exact.table.dtype == halved.table.dtype == torch.float32
    assert halved.model.dtype == torch.bfloat16
    for ours, theirs in zip(
        halved.top_items(PROMPTS, len(ITEMS)), exact.top_items(PROMPTS, len(ITEMS)), strict=True
    ):
        assert dict(ours) == pytest.approx(dict(theirs), abs=0.1)
    labels = ["Yes", "No"]
    assert halved.label_probabilities(PROMPTS, labels) == pytest.approx(
        exact.label_probabilities(PROMPTS, labels), abs=0.02
    )
    assert len(halved.generate_text(PROMPTS, 1, max_tokens=4)) == 2


def test_a_model_made_from_sizes_stays_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, cuda=True, vllm=True)
    rows = pa.table({"prompt": [""], "completions": [["<a>", "<b>"]], "weights": [[1.0, 1.0]]})
    settings = FromSizesSettings(hidden_size=8, num_layers=1, num_heads=2, epochs=1)
    train_checkpoint(rows, tmp_path, settings)
    backend = backend_for(tmp_path, serving=ServingSettings(device="cuda", dtype="bfloat16"))
    assert isinstance(backend, TransformersBackend)
    assert (backend.device.type, backend.model.dtype) == ("cpu", torch.float32)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_server_is_started_in_the_numbers_of_the_checkpoint(
    tmp_path: Path, precision: str
) -> None:
    settings = llama_settings(precision=precision)
    save_metadata(tmp_path, Metadata(settings, "completion", 1, (), 1, vocabulary="tokenizer"))
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 9999}')
    arguments = server_arguments(tmp_path)
    assert arguments[arguments.index("--dtype") + 1] == precision
