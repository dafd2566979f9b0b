"""A checkpoint with wider attention heads that gives the same answers, for engines that know only a few head sizes."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from llm_i2i.lm.checkpoint import WEIGHTS

CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256)  # what vLLM's CPU attention takes


def head_size(folder: Path) -> int:
    """Width of one attention head of a checkpoint."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def write_padded(folder: Path, copy: Path, wider: int) -> None:
    """Write `folder`'s Llama checkpoint to `copy` with each head padded by zeros to the width `wider`.

    Exact but for rounding: zeros add nothing to q.k and to the values; the rotary angles cover the old width only
    (`partial_rotary_factor`); q is scaled so that q.k / sqrt(width) stays what it was.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    narrow = head_size(folder)
    weights = load_file(folder / WEIGHTS)
    for name, tensor in weights.items():
        kind = name.split(".")[-2]
        if kind in ("q_proj", "k_proj", "v_proj"):
            weights[name] = _pad_rows(tensor, narrow, wider)
            if kind == "q_proj":
                weights[name] *= math.sqrt(wider / narrow)
        elif kind == "o_proj" and tensor.dim() == 2:
            weights[name] = _pad_rows(tensor.T, narrow, wider).T.contiguous()
    copy.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in ("config.json", WEIGHTS):
            shutil.copy(path, copy)
    save_file(weights, copy / WEIGHTS, metadata={"format": "pt"})
    rope = config.get("rope_parameters") or {"rope_type": "default", "rope_theta": 10000.0}
    config |= {
        "head_dim": wider,
        "rope_parameters": {**rope, "partial_rotary_factor": narrow / wider},
    }
    (copy / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _pad_rows(tensor: Tensor, narrow: int, wider: int) -> Tensor:
    """Insert zero rows (or entries, for a bias) behind each head's."""
    heads = tensor.shape[0] // narrow
    padded = tensor.new_zeros((heads, wider, *tensor.shape[1:]))
    padded[:, :narrow] = tensor.reshape(heads, narrow, *tensor.shape[1:])
    return torch.flatten(padded, 0, 1)
