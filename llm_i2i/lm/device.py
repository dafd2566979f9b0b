"""Where a pretrained model computes, in which numbers, and what runs it: `auto` takes what this machine has."""

from __future__ import annotations

import importlib.util
from typing import Literal

from llm_i2i.errors import LlmI2iError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]


def choose_device(asked: Device = "auto") -> str:
    """`cuda`, `mps` or `cpu`: under `auto` the first of them that is here.

    Raises:
        LlmI2iError: The device asked for is not here.
    """
    import torch

    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    here["cpu"] = True
    if asked == "auto":
        return next(name for name, is_here in here.items() if is_here)
    if not here[asked]:
        raise LlmI2iError(
            f"this machine has no {asked} device that torch can use",
            where="language_models.<name>.serving.device",
            found=f"torch {torch.__version__}",
            fix="set device: auto, or install a build of torch for this device",
        )
    return asked


def choose_precision(asked: Precision, device: str) -> str:
    """The numbers of weights and activations: under `auto` bfloat16 on CUDA and float32 elsewhere.

    bfloat16 has the range of float32, so it needs no scaling of losses, and models of today are published in it. On a CPU it saves
    memory and mostly costs time; on Apple's GPUs support depends on the version of the system.
    """
    if asked != "auto":
        return asked
    return "bfloat16" if device == "cuda" else "float32"


def choose_backend(asked: str) -> str:
    """What runs a checkpoint: under `auto` vLLM where it is installed and there is a CUDA device, and transformers elsewhere."""
    if asked != "auto":
        return asked
    if importlib.util.find_spec("vllm") is None:
        return "transformers"
    return "vllm" if choose_device() == "cuda" else "transformers"
