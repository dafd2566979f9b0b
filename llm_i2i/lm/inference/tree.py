"""Next-token log-probabilities of many beams behind the same prompts, the prompts read once."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import DynamicCache

from llm_i2i.lm.inference.beam import Floats, Ints, Written

MAX_LOGITS = 12_000_000  # values of one block of vocabulary logits: some 50 MB


class PromptTree:
    """`NextTokens` over a batch of prompts; keys and values of the prompts are neither computed twice nor copied for the beams.

    All beams of a prompt lie side by side in one row of the batch, behind the prompt: a token sees the prompt, its own
    ancestors and itself, which an explicit mask says. Each step only appends its new tokens to the cache. Copying the
    prompt's cache to every beam would cost beams x prompt length instead of beams x answer length.

    Args:
        model: A causal language model of transformers.
        tokens: Right-padded prompts, int64, shape (prompts, length).
        lengths: Their lengths, shape (prompts,).
    """

    def __init__(self, model: torch.nn.Module, tokens: Ints, lengths: Ints) -> None:
        self.model = model
        self.head = model.get_output_embeddings()
        self.device = self.head.weight.device
        self.lengths = torch.from_numpy(lengths).to(self.device)
        self.cache = DynamicCache(config=model.config)
        columns = torch.arange(tokens.shape[1], device=self.device)
        self.visible = columns < self.lengths[:, None]  # (prompts, length)
        # Cache columns behind the prompts: of each written sequence its own tokens.
        self.columns: dict[Written, tuple[int, ...]] = {}
        self.used = 0
        with torch.inference_mode():
            states = self._read(torch.from_numpy(tokens).to(self.device))
        self.last = states[torch.arange(len(tokens), device=self.device), self.lengths - 1]

    @torch.inference_mode()
    def next_log_probabilities(
        self, sequences: Sequence[Written], allowed: Sequence[npt.NDArray[np.int32]]
    ) -> list[Floats]:
        """See `NextTokens`."""
        if sequences[0][1]:
            states = self._append(sequences)
        else:
            states = self.last[torch.tensor([prompt for prompt, _ in sequences])]
        return self._log_probabilities(states, allowed)

    def _read(self, tokens: Tensor, **inputs: Tensor) -> Tensor:
        # The causal mask alone hides the padding on the right from the prompts' own tokens.
        return self.model.base_model(
            input_ids=tokens, past_key_values=self.cache, use_cache=True, **inputs
        ).last_hidden_state

    def _append(self, sequences: Sequence[Written]) -> Tensor:
        """Hidden state of the last token of each sequence, shape (sequences, d); all are equally long."""
        rows = np.fromiter((prompt for prompt, _ in sequences), np.int64, len(sequences))
        counts = np.bincount(rows, minlength=len(self.lengths))
        # Sequences come prompt by prompt.
        places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        depth, width = len(sequences[0][1]), int(counts.max())
        seen = np.zeros((len(counts), width, self.used + width), dtype=bool)
        for sequence, row, place in zip(sequences, rows.tolist(), places.tolist(), strict=True):
            prompt, written = sequence
            before = self.columns[prompt, written[:-1]] if depth > 1 else ()
            own = self.columns[sequence] = (*before, self.used + place)
            seen[row, place, own] = True
        tokens = np.zeros((len(counts), width), dtype=np.int64)
        tokens[rows, places] = [written[-1] for _, written in sequences]
        self.used += width
        positions = (self.lengths + depth - 1)[:, None].expand(-1, width)
        states = self._read(
            torch.from_numpy(tokens).to(self.device),
            attention_mask=self._mask(torch.from_numpy(seen).to(self.device)),
            position_ids=positions,
        )
        return states[torch.from_numpy(rows), torch.from_numpy(places)]

    def _mask(self, seen: Tensor) -> Tensor:
        """Additive attention mask, shape (prompts, 1, new tokens, all cache columns)."""
        prompts = self.visible[:, None, :].expand(-1, seen.shape[1], -1)
        mask = torch.cat([prompts, seen], dim=2)[:, None]
        dtype = self.head.weight.dtype
        return torch.zeros(mask.shape, dtype=dtype, device=self.device).masked_fill_(
            ~mask, torch.finfo(dtype).min
        )

    def _log_probabilities(
        self, states: Tensor, allowed: Sequence[npt.NDArray[np.int32]]
    ) -> list[Floats]:
        counts = np.fromiter((len(tokens) for tokens in allowed), np.int64, len(allowed))
        tokens = torch.from_numpy(np.concatenate(allowed).astype(np.int64)).to(self.device)
        ends = np.cumsum(counts)
        rows = max(1, MAX_LOGITS // self.head.weight.shape[0])
        blocks = []
        for start in range(0, len(states), rows):
            stop = min(start + rows, len(states))
            logits = self.head(states[start:stop]).float()
            row = np.repeat(np.arange(stop - start), counts[start:stop])
            chosen = tokens[ends[start] - counts[start] : ends[stop - 1]]
            index = torch.from_numpy(row).to(self.device)
            blocks.append((logits[index, chosen] - logits.logsumexp(dim=1)[index]).cpu().numpy())
        return np.split(np.concatenate(blocks), ends[:-1])
