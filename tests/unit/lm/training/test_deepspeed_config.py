from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.training.strategies import load_config
from tests.tiny_llama import llama_settings

ZERO2 = Path(__file__).parents[4] / "project" / "deepspeed" / "zero2.json"


def test_auto_is_filled_in_from_the_settings():
    settings = llama_settings(
        batch_size=16,
        processes=4,
        gradient_accumulation=2,
        deepspeed="x",
        weight_decay=0.1,
        clip=0.5,
    )
    config = load_config(ZERO2, settings)
    assert (config["train_batch_size"], config["train_micro_batch_size_per_gpu"]) == (16, 2)
    assert (config["gradient_accumulation_steps"], config["gradient_clipping"]) == (2, 0.5)
    assert config["bf16"] == {"enabled": False}
    assert config["optimizer"]["params"]["lr"] == 1e-2
    assert config["optimizer"]["params"]["weight_decay"] == 0.1
    assert config["zero_optimization"]["stage"] == 2
    assert "auto" not in json.dumps(config)


def test_the_shortest_configuration(tmp_path: Path):
    (tmp_path / "mine.json").write_text("{}")
    config = load_config(
        tmp_path / "mine.json", llama_settings(deepspeed="x", precision="bfloat16")
    )
    assert config["train_batch_size"] == 8
    assert config["bf16"] == {"enabled": True}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"train_batch_size": 64}, "train_batch_size contradicts the language model: 64, not 8"),
        ({"optimizer": {"params": {"lr": 0.5}}}, "optimizer.params.lr contradicts"),
        ({"zero_optimization": {"stage": 3}}, "ZeRO stage 3"),
        ({"fp16": {"enabled": "auto"}}, "fp16.enabled is auto"),
    ],
)
def test_a_configuration_that_does_not_fit(tmp_path: Path, change: dict[str, object], what: str):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**json.loads(ZERO2.read_text()), **change}))
    with pytest.raises(LlmI2iError, match=what) as caught:
        load_config(path, llama_settings(deepspeed="mine.json"))
    assert caught.value.where == str(path)
    assert caught.value.fix


@pytest.mark.parametrize("text", [None, "{"])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, text: str | None):
    if text:
        (tmp_path / "mine.json").write_text(text)
    with pytest.raises(LlmI2iError, match="cannot read the DeepSpeed configuration"):
        load_config(tmp_path / "mine.json", llama_settings(deepspeed="mine.json"))
