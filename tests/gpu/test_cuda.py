"""What only a GPU can show. `pytest -m gpu tests/gpu` on a machine with CUDA; written without one at hand."""
# ruff: noqa: TID253  -- tests of the folder that owns torch.

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from llm_i2i.lm.inference.transformers import TransformersBackend
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import PretrainedSettings
from llm_i2i.lm.tokenizer import load_tokenizer_vocabulary
from llm_i2i.lm.trainer import LogRow
from tests.tiny_llama import catalogue, item, llama_settings, next_items, write_llama

ZERO2 = Path(__file__).parents[2] / "project" / "deepspeed" / "zero2.json"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
# Heads of 32 values: FlashAttention-2 takes multiples of 8.
SIZES = {"hidden_size": 128, "num_heads": 4}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_llama(tmp_path / "llama", **SIZES)
    return tmp_path


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(package) is None, reason=f"needs the {package} package"
    )


def train(base: Path, name: str, settings: PretrainedSettings) -> list[LogRow]:
    return train_checkpoint(next_items(), base / name, settings, items=catalogue(), base_dir=base)


@needs("flash_attn")
def test_bfloat16_with_flash_attention(base: Path):
    values = {"precision": "bfloat16", "learning_rate": 3e-3, "epochs": 20}
    flash = train(base, "flash", llama_settings(attention="flash_attention_2", **values))
    sdpa = train(base, "sdpa", llama_settings(attention="sdpa", **values))
    assert flash[-1].loss < 0.5 * flash[0].loss
    # bfloat16 rounds to 8 bits: kernels agree at the start, and in the end within noise.
    assert flash[0].loss == pytest.approx(sdpa[0].loss, rel=1e-2)
    assert flash[-1].loss == pytest.approx(sdpa[-1].loss, rel=0.25)


@needs("deepspeed")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_zero2_on_cuda(base: Path, precision: str):
    values = {"precision": precision, "learning_rate": 3e-3, "epochs": 10}
    plain = train(base, "plain", llama_settings(**values))
    zero = train(base, "zero", llama_settings(deepspeed=str(ZERO2), **values))
    tolerance = 1e-2 if precision == "float32" else 0.2
    assert zero[-1].loss < 0.7 * zero[0].loss
    assert [row.loss for row in zero] == pytest.approx([row.loss for row in plain], rel=tolerance)


@needs("deepspeed")
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_train_the_steps_of_one(base: Path):
    one, two = (
        train(
            base,
            f"{n}",
            llama_settings(deepspeed=str(ZERO2), processes=n, epochs=3, learning_rate=1e-3),
        )
        for n in (1, 2)
    )
    assert [row.loss for row in two] == pytest.approx([row.loss for row in one], abs=5e-3)


def test_log_probabilities_are_those_of_the_cpu(base: Path):
    train(base, "out", llama_settings(epochs=10, learning_rate=3e-3))
    vocabulary = load_tokenizer_vocabulary(base / "out")
    ids = torch.tensor([vocabulary.encode(f"Recent products: {item(3)}, {item(4)}. Next:", 200)])
    model = AutoModelForCausalLM.from_pretrained(base / "out").eval()
    with torch.no_grad():
        cpu = model(ids).logits.float().log_softmax(dim=-1)
        cuda = model.cuda()(ids.cuda()).logits.float().log_softmax(dim=-1).cpu()
        half = model.bfloat16()(ids.cuda()).logits.float().log_softmax(dim=-1).cpu()
    torch.testing.assert_close(cuda, cpu, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(half, cpu, atol=0.15, rtol=0.05)


def test_a_resumed_training_on_cuda(base: Path):
    # The states of a finished training lie where a second one finds them: it goes on from the last and ends alike.
    settings = llama_settings(epochs=4, checkpoint_every=8, learning_rate=1e-3)
    logs = [
        train_checkpoint(
            next_items(),
            base / name,
            settings,
            items=catalogue(),
            base_dir=base,
            resume_dir=base / "resume",
        )
        for name in ("first", "second")
    ]
    assert [row.step for row in logs[1]] == [row.step for row in logs[0]]
    assert logs[1][-1].loss == pytest.approx(logs[0][-1].loss, rel=1e-3)


def test_a_checkpoint_runs_on_the_gpu_as_on_the_cpu(base: Path):
    train(base, "here", llama_settings(epochs=5, learning_rate=3e-3))
    prompts = [f"Recent products: {item(n)}, {item(n + 1)}. Next:" for n in range(12)]
    on_cpu = TransformersBackend(base / "here", ServingSettings(device="cpu"))
    assert TransformersBackend(base / "here").model.dtype == torch.bfloat16
    for dtype, tolerance in (("float32", 1e-3), ("bfloat16", 0.1)):
        on_gpu = TransformersBackend(base / "here", ServingSettings(device="cuda", dtype=dtype))
        for ours, theirs in zip(
            on_gpu.top_items(prompts, 12), on_cpu.top_items(prompts, 12), strict=True
        ):
            assert dict(ours) == pytest.approx(dict(theirs), abs=tolerance)
        labels = ["Yes", "No"]
        assert on_gpu.label_probabilities(prompts, labels) == pytest.approx(
            on_cpu.label_probabilities(prompts, labels), abs=tolerance
        )
        assert len(on_gpu.generate_text(prompts, 1, max_tokens=4)) == len(prompts)
