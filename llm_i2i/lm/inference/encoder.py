"""Text embeddings by a model of transformers: hidden states of the last layer, pooled over a text's tokens, length 1."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.device import choose_device
from llm_i2i.lm.weights import locate

BATCH = 64
LONGEST = 512  # tokens
Pooling = Literal["mean", "last"]


class PooledEncoder:
    """Loads a sentence encoder or a causal model, on a GPU where there is one.

    Args:
        name: As `pretrained` of a language model: a folder or a .gguf file relative to `base_dir`, `package:NAME/FILE`, or a name of
            the hub.
        pooling: `mean` over the tokens that are not padding, as most sentence encoders are trained for; `last` is the state of the
            last of them, the only one of a causal model that has read the whole text. A causal model that was trained to
            embed texts mostly wants `last`; one that was not gives better neighbours under `mean`.
    """

    def __init__(self, name: str, base_dir: Path, pooling: Pooling = "mean") -> None:
        weights = locate(name, base_dir)
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(
                weights.place, trust_remote_code=False, **weights.options
            )
            self.model = AutoModel.from_pretrained(
                weights.place, trust_remote_code=False, use_safetensors=True, **weights.options
            ).eval()
        except (OSError, ValueError) as error:
            raise LlmI2iError(
                f"the text encoder {name!r} cannot be loaded",
                where="text_encoder",
                found=str(error).splitlines()[0][:200],
                fix="give a folder with an encoder of transformers, or null for none",
            ) from error
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.pooling = pooling
        self.device = torch.device(choose_device())
        self.model.to(self.device)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Unit embeddings, float64, shape (texts, d); zero for a text without a token."""
        # Texts of like length together, or most of a batch is padding.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        result = np.zeros((len(texts), self.model.config.hidden_size))
        for start in range(0, len(order), BATCH):
            rows = [row for row in order[start : start + BATCH] if texts[row].strip()]
            if not rows:
                continue
            tokens = self.tokenizer(
                [texts[row] for row in rows],
                padding=True, truncation=True, max_length=LONGEST, return_tensors="pt",
            ).to(self.device)  # fmt: skip
            states = self.model(**tokens).last_hidden_state.float()
            pooled = _pooled(states, tokens["attention_mask"], self.pooling)
            result[rows] = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return result


def _pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """One state a text, shape (texts, d), from states (texts, tokens, d); `mask` is 0 on padding, on whichever side it stands."""
    if pooling == "last":
        places = torch.arange(mask.shape[1], device=mask.device)
        last = (places * mask).argmax(dim=1)
        return states[torch.arange(len(states), device=mask.device), last]
    weights = mask.unsqueeze(-1)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
