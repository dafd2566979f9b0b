"""How many tokens a pretrained model can be trained on at once in a given memory."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from llm_i2i.lm.settings import PretrainedSettings

GIGABYTE = 10**9
SHARE = 0.5  # of the machine's memory, where the settings do not say; DuckDB and the parent process have theirs beside it
PROCESS = 0.9 * GIGABYTE  # Python, torch and its kernels, the rows, a few logits
NUMBER = 4  # bytes: what is kept for the backward pass is counted in float32 also where a part of it is bfloat16
ADAM = 3  # numbers beside each weight that is trained: its gradient and two moments


def tokens_at_once(model: nn.Module, settings: PretrainedSettings) -> int:
    """Most tokens of one forward and backward pass: as set, or as many as fit into `memory_gb` beside the weights.

    At least one, and a longer row is never split: below some size a smaller number saves nothing.
    """
    if settings.tokens_at_once is not None:
        return settings.tokens_at_once
    memory = SHARE * machine_memory()
    if settings.memory_gb is not None:
        memory = settings.memory_gb * GIGABYTE
    room = memory - PROCESS - weight_bytes(model)
    return max(1, int(room / bytes_of_token(model.config, settings.gradient_checkpointing)))


def machine_memory() -> int:
    """Bytes of the GPU that is trained on, or of the machine: all of them, so that the parts do not depend on what else runs."""
    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def weight_bytes(model: nn.Module) -> int:
    """Weights, and for those that are trained their gradients and the optimizer's state."""
    return sum(
        parameter.numel() * (parameter.element_size() + parameter.requires_grad * ADAM * NUMBER)
        for parameter in model.parameters()
    )


def bytes_of_token(config: Any, is_recomputed: bool) -> int:
    """What the layers keep of one token for the backward pass, about, from the sizes in a model's config.

    A layer keeps the inputs of its norms and linear maps, queries, keys and values of each head, and four arrays as wide as the
    feed-forward layer. Measured with SmolLM2-135M, the estimate is on the safe side (project/docs/language_models.md).

    Args:
        is_recomputed: Under gradient checkpointing only the input of each layer is kept, and all of one layer.
    """
    own = config.get_text_config()
    width = own.hidden_size
    heads = own.num_attention_heads
    head_size = getattr(own, "head_dim", None) or width // heads
    feed_forward = getattr(own, "intermediate_size", None) or 4 * width
    layer = 8 * width + 5 * heads * head_size + 4 * feed_forward
    layers = own.num_hidden_layers
    return NUMBER * (layers * width + layer if is_recomputed else layers * layer)
