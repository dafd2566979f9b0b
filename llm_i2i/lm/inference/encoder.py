"""A sentence encoder of transformers: the mean of the last hidden states, as most sentence encoders are trained for."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.device import choose_device

BATCH = 64
LONGEST = 512  # tokens


class MeanPooledEncoder:
    """Loads a folder or a name of the hub; on a GPU where there is one."""

    def __init__(self, name: str) -> None:
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            self.model = AutoModel.from_pretrained(
                name, trust_remote_code=False, use_safetensors=True
            ).eval()
        except (OSError, ValueError) as error:
            raise LlmI2iError(
                f"the text encoder {name!r} cannot be loaded",
                where="text_encoder",
                found=str(error).splitlines()[0][:200],
                fix="give a folder with an encoder of transformers, or null for TF-IDF",
            ) from error
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.device = torch.device(choose_device())
        self.model.to(self.device)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Unit embeddings, float64, shape (texts, d)."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        result = np.zeros((len(texts), self.model.config.hidden_size))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            tokens = self.tokenizer(
                [texts[row] for row in rows],
                padding=True, truncation=True, max_length=LONGEST, return_tensors="pt",
            ).to(self.device)  # fmt: skip
            states = self.model(**tokens).last_hidden_state.float()
            mask = tokens["attention_mask"].unsqueeze(-1)
            means = (states * mask).sum(dim=1) / mask.sum(dim=1)
            result[rows] = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
        return result
